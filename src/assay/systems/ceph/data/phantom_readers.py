"""What two readers see: near the truth, each landmark as sharply as its anatomy lets it be found.

Where a landmark lies on a flat curve it slides along it (A, B, Pog, Go), and what is hidden behind other
bone or doubled by the far side is found badly (Po, Or, Go, Co). Sizes follow published reproducibility
studies in their order (Baumrind and Frantz 1971: 0.5–2 mm, dental apices and gonion worst).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from assay.systems.ceph.data.landmarks import SYMBOLS

if TYPE_CHECKING:
    from assay.systems.ceph.data.mean_face import Floats

# Standard deviation along x and y in mm, of a reader whose share is 1.
SPREAD = {
    "A": (0.50, 1.00), "ANS": (0.95, 0.50), "B": (0.45, 1.00), "Me": (0.85, 0.40),
    "N": (0.50, 0.75), "Or": (1.35, 1.00), "Pog": (0.35, 0.95), "PNS": (1.00, 0.50),
    "Pn": (0.35, 0.75), "R": (0.55, 1.10), "S": (0.45, 0.45), "Ar": (0.55, 0.65),
    "Co": (1.20, 1.20), "Gn": (0.55, 0.55), "Go": (1.25, 1.30), "Po": (1.30, 1.30),
    "LPM": (0.75, 0.60), "LIT": (0.45, 0.45), "LMT": (0.80, 0.60), "UPM": (0.75, 0.60),
    "UIA": (0.85, 1.00), "UIT": (0.40, 0.40), "UMT": (0.80, 0.60), "LIA": (0.90, 1.00),
    "Li": (0.30, 0.65), "Ls": (0.30, 0.65), "N`": (0.45, 0.90), "Pog`": (0.35, 1.10),
    "Sn": (0.50, 0.50),
}  # fmt: skip


@dataclass(frozen=True)
class Skill:
    """How one reader reads.

    Attributes:
        share: of the spread above.
        habit: of the bias that the reader has on every film, as a share of the spread.
        seed: of the habit, which is the same in every phantom.
    """

    share: float
    habit: float
    seed: int


SENIOR, JUNIOR = Skill(0.80, 0.15, 1), Skill(1.10, 0.35, 2)


def seen_by(skill: Skill, face: Floats, random: np.random.Generator) -> Floats:
    """Return the landmarks (29, 2) in mm as a reader sees them."""
    spread = np.array([SPREAD[symbol] for symbol in SYMBOLS])
    habit = np.random.default_rng(skill.seed).normal(0, skill.habit, face.shape)
    return np.asarray(face + spread * (habit + skill.share * random.normal(0, 1, face.shape)))
