"""Phantom faces: 29 landmarks in millimetres, varying from person to person by a few factors.

About the mean face (`mean_face`, whose frame this is) each factor moves many landmarks at once, as the
first principal components of real faces do. What is young has a shorter, shallower lower face.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.systems.ceph.data.landmarks import COUNT, PLACE, SYMBOLS
from assay.systems.ceph.data.mean_face import MEAN, mean_face

if TYPE_CHECKING:
    from assay.systems.ceph.data.mean_face import Floats

CHIN = ("B", "Me", "Pog", "Gn", "LIA", "Li", "Pog`")
LOWER_TEETH = ("LIT", "LPM", "LMT")
UPPER_TEETH = ("UIT", "UPM", "UMT")
MAXILLA = ("A", "ANS", "PNS", "UIA", "Sn", "Ls")
RAMUS = ("R", "Ar", "Co", "Go")
# Independent of the factors, mm; the rest of what differs between two faces.
OWN = 0.7
YOUNG_HEIGHT, YOUNG_DEPTH = 0.86, 0.93  # of the lower face at stage CS1, relative to CS6


def _moved(symbols: tuple[str, ...], x: float, y: float) -> Floats:
    mode = np.zeros((COUNT, 2))
    mode[[PLACE[symbol] for symbol in symbols]] = x, y
    return mode


def _turned(symbols: tuple[str, ...], about: str, degrees: float) -> Floats:
    """Return the first order of a turn clockwise, as seen on the film."""
    arm = mean_face() - MEAN[about]
    turn = np.radians(degrees) * np.stack([-arm[:, 1], arm[:, 0]], axis=1)
    chosen = np.isin(SYMBOLS, symbols)
    return np.asarray(turn * chosen[:, None])


def modes() -> Floats:
    """Return what each factor does, (factors, 29, 2) in mm; factors are drawn with a spread of 1.2."""
    jaw = (*CHIN, *LOWER_TEETH, "Go", "R")
    return np.stack([
        # Long and short faces: the mandible swings about its condyle, teeth erupt to meet.
        _turned(jaw, "Co", 2.2) + _moved(UPPER_TEETH, -1.0, 2.6) + _moved(("Ls", "Sn"), -0.3, 0.8)
        + _moved(("A", "ANS", "UIA"), -0.2, 0.8),
        # Class II to class III: the chin comes forwards, the upper incisors yield a little.
        _moved((*CHIN, *LOWER_TEETH), 2.4, 0.2) + _moved(("Go", "R"), 0.8, 0.0)
        + _moved(("UIT", "Ls"), 0.8, 0.0),
        _moved((*MAXILLA, *UPPER_TEETH), 1.6, 0.3) + _moved(("Pn",), 1.4, 0.2),
        # The cranial base: its bend carries the jaw joint and the ear, its length the bridge.
        _turned((*RAMUS, "Po"), "S", 2.5) + _moved((*CHIN, *LOWER_TEETH), -1.0, 0.3),
        _moved(("N", "N`"), 1.8, -0.6) + _moved(("Or",), 1.0, 0.4) + _moved(("Pn",), 0.8, 0.0),
        # The gonial angle, and the height of the ramus.
        _moved(("Go",), 0.6, 2.6) + _moved(("R",), 0.3, 1.3),
        # Incisors lean forwards or back about their roots.
        _moved(("UIT",), 1.5, -0.4) + _moved(("LIT",), 1.3, -0.3) + _moved(("Ls", "Li"), 0.9, 0.0),
        # Nose, and the thickness of the soft parts.
        _moved(("Pn",), 2.3, 0.8) + _moved(("Sn",), 0.6, 0.2),
        _moved(("Ls", "Li", "Pog`", "Sn"), 1.2, 0.0) + _moved(("N`",), 0.6, 0.0),
        _moved(("Or",), 0.8, 1.4) + _moved(("Po",), -1.0, 1.0) + _moved(("Co", "Ar"), 0.2, 0.7),
    ])  # fmt: skip


def draw_face(growth: float, random: np.random.Generator) -> Floats:
    """Return the landmarks (29, 2) of one person, in mm.

    Args:
        growth: 0 (stage CS1) to 1 (CS6).
        random: draws the factors, the size and the rest.
    """
    kinds = modes()
    factors = np.clip(random.normal(0, 1.2, len(kinds)), -2.5, 2.5)
    face = mean_face() + np.tensordot(factors, kinds, axes=1)
    own = np.clip(random.normal(0, OWN, face.shape), -2 * OWN, 2 * OWN)
    own[PLACE["S"]] = 0
    face += own
    _settle_bite(face, random)
    height = YOUNG_HEIGHT + (1 - YOUNG_HEIGHT) * growth
    depth = YOUNG_DEPTH + (1 - YOUNG_DEPTH) * growth
    size = np.exp(np.clip(random.normal(0, 0.04), -0.09, 0.09))
    return np.asarray(face * [depth * size, height * size])


def _settle_bite(face: Floats, random: np.random.Generator) -> None:
    """Let the teeth meet: an overjet and overbite as people have them, cusps on each other.

    The chin keeps its points in order whatever the factors did: Pog before B, Gn between Pog and Me.
    """
    at = PLACE
    overjet, overbite = random.normal(2.8, 1.2), random.normal(2.2, 0.9)
    middle = (face[at["UIT"]] + face[at["LIT"]]) / 2
    half = np.array([overjet, overbite]) / 2
    face[at["UIT"]], face[at["LIT"]] = middle + half, middle - half
    for upper, lower in (("UPM", "LPM"), ("UMT", "LMT")):
        shared = (face[at[upper], 1] + face[at[lower], 1]) / 2
        face[at[upper], 1], face[at[lower], 1] = shared + 0.6, shared - 0.6
        face[at[lower], 0] = face[at[upper], 0] + random.normal(2.0, 0.6)
    pog, me = face[at["Pog"]], face[at["Me"]]
    face[at["Gn"]] = pog + (me - pog) * [0.38, 0.72] + [0.0, random.normal(0, 0.15)]
    face[at["B"], 0] = min(face[at["B"], 0], pog[0] - 0.3)
    face[at["R"]] = (face[at["Ar"]] + face[at["Go"]]) / 2 + [random.normal(1.4, 0.3), 0.0]
