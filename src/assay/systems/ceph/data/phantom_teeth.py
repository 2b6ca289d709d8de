"""The phantom's teeth: crown and root between a tip and an apex; cusp tips and incisors are landmarks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.systems.ceph.data.landmarks import PLACE
from assay.systems.ceph.data.phantom_curve import Shape, closed, moved

if TYPE_CHECKING:
    from assay.systems.ceph.data.mean_face import Floats

CROWN = 0.42  # of a tooth's length


def draw_teeth(face: Floats, random: np.random.Generator) -> list[Shape]:
    """Return the teeth of both jaws, for landmarks (29, 2) in mm."""
    shapes = []
    for jaw, sign in (("U", -1.0), ("L", 1.0)):
        tip, apex = face[PLACE[f"{jaw}IT"]], face[PLACE[f"{jaw}IA"]]
        premolar, molar = face[PLACE[f"{jaw}PM"]], face[PLACE[f"{jaw}MT"]]
        # Between the second premolar and the incisor: first premolar and canine; behind: the molars.
        for share, width, length in ((0.31, 6.8, 20.0), (0.64, 7.4, 24.0)):
            place = moved(premolar + (tip - premolar) * share, 0.0, -0.4 * sign)
            lean = (apex - tip) * [share * 0.7, 0.0]
            shapes += _single(place, moved(place, lean[0], sign * length), width)
        shapes += _single(premolar, moved(premolar, -1.5, sign * 19.0), 6.8)
        shapes += _molar(molar, sign, 10.0)
        if random.uniform() < 0.8:
            shapes += _molar(molar - [10.4, 0.6 * sign], sign, 9.6)
        shapes += _single(tip, apex, 5.6 if jaw == "L" else 7.2, fades=0.12)
    return shapes + _filling(face, random)


def _single(tip: Floats, apex: Floats, width: float, fades: float = 0.0) -> list[Shape]:
    """Return a tooth of one root: widest at the crown's third, narrow at the neck, pointed."""
    along = apex - tip
    across = np.array([-along[1], along[0]]) / float(np.linalg.norm(along)) * width / 2

    def at(share: float, half: float) -> Floats:
        return np.asarray(tip + along * share + across * half)

    crown = closed([
        at(0, 0.0), at(0.04, 0.40), at(0.18, 0.88), at(CROWN - 0.08, 0.66), at(CROWN, 0.0),
        at(CROWN - 0.08, -0.66), at(0.18, -0.88), at(0.04, -0.40),
    ])  # fmt: skip
    root = closed([
        at(0.22, 0.62), at(CROWN, 0.60), at(0.75, 0.40), at(0.97, 0.12), at(1.0, 0.0),
        at(0.97, -0.12), at(0.75, -0.40), at(CROWN, -0.60), at(0.22, -0.62),
    ])  # fmt: skip
    pulp = np.stack([at(0.25, 0.16), at(0.9, 0.05), at(0.9, -0.05), at(0.25, -0.16)])
    return [
        Shape(crown, 0.75 + fades), Shape(root, 0.38 + fades), Shape(pulp, -0.20),
    ]  # fmt: skip


def _molar(cusp: Floats, sign: float, width: float) -> list[Shape]:
    """Return a molar with two roots; `cusp` is the tip of its front cusp, `sign` towards its roots."""

    def at(back: float, up: float) -> Floats:
        return np.asarray(moved(cusp, -back * width, sign * up))

    crown = np.stack([
        at(0.0, 0.0), at(0.16, 0.8), at(0.34, 1.6), at(0.50, 0.9), at(0.66, 0.4), at(0.80, 2.4),
        at(0.74, 6.5), at(0.30, 7.5), at(-0.12, 6.5), at(-0.19, 2.4),
    ])  # fmt: skip
    roots = np.stack([
        at(-0.12, 5.5), at(-0.10, 12.0), at(0.06, 19.0), at(0.14, 19.0), at(0.26, 10.5),
        at(0.36, 10.5), at(0.58, 18.5), at(0.66, 18.0), at(0.72, 11.0), at(0.74, 5.5),
    ])  # fmt: skip
    return [Shape(crown, 0.80), Shape(roots, 0.40)]


def _filling(face: Floats, random: np.random.Generator) -> list[Shape]:
    """Return amalgam, the whitest thing on a film, in every third person's molar."""
    if random.uniform() > 0.33:
        return []
    place = face[PLACE["UMT"]] + [-4.0, -2.5]
    return [Shape(place + random.normal(0, 1.2, (7, 2)) * [1.6, 1.0], 2.0)]
