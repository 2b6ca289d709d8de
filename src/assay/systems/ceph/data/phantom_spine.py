"""Phantom vertebrae C2–C4, whose shapes follow the six stages of cervical vertebral maturation.

Baccetti, Franchi, McNamara 2005: a concavity appears at the lower border of C2 (CS2), C3 (CS3) and C4
(CS4), while the bodies of C3 and C4 go from tapered (lower in front) over flat rectangles and squares
(CS5) to upright rectangles (CS6).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from assay.systems.ceph.data.mean_face import Floats

# By stage CS1–CS6: depth of the lower border's concavity in mm, for C2, C3, C4 …
CONCAVITY = (
    (0.1, 0.1, 0.1), (1.3, 0.2, 0.1), (1.6, 1.3, 0.2), (1.8, 1.6, 1.3), (2.0, 1.9, 1.7),
    (2.2, 2.1, 2.0),
)  # fmt: skip
# … the height at the back relative to the depth, and the height in front relative to that at the back.
RATIO = (0.56, 0.62, 0.70, 0.80, 0.97, 1.15)
TAPER = (0.68, 0.75, 0.86, 0.95, 1.00, 1.00)
NAMES = ("C2", "C3", "C4")
SPREAD = 0.03  # of ratio and taper between people of one stage; of the concavity 0.12 mm
DISC = 2.6  # mm between two bodies
STEPS = 7  # points along a border


@dataclass(frozen=True)
class Vertebra:
    """One body: its outline (k, 2) in mm, and the measures that the stage is read from.

    Attributes:
        outline: closed, from the upper front corner backwards.
        lower: (STEPS, 2), the lower border from back to front.
        concavity: of the lower border, mm.
        ratio: height at the back / depth.
        taper: height in front / height at the back.
    """

    outline: Floats
    lower: Floats
    concavity: float
    ratio: float
    taper: float


def draw_spine(stage: int, top: Floats, lean: float, random: np.random.Generator) -> list[Vertebra]:
    """Return C2, C3, C4 of one person.

    Args:
        stage: 0–5 for CS1–CS6.
        top: (2,) upper front corner of C2's body, mm.
        lean: angle by which the neck leans backwards going down, radians.
        random: draws the person's own proportions.
    """
    depth = random.normal(15.8, 0.6)
    spine, corner = [], np.array(top)
    for number in range(3):
        concavity = max(0.0, CONCAVITY[stage][number] + random.normal(0, 0.12))
        # C2's body is higher than the others and hardly tells the stage by its form.
        ratio = RATIO[stage] + random.normal(0, SPREAD) + (0.25 if number == 0 else 0.0)
        taper = min(1.05, TAPER[stage] + random.normal(0, SPREAD)) if number else 1.0
        body = _body(depth, depth * ratio, taper, concavity, corner, lean)
        spine.append(Vertebra(body, body[2 : 2 + STEPS], concavity, ratio, taper))
        down = np.array([-np.sin(lean), np.cos(lean)])
        corner = corner + down * (depth * ratio * (1 + taper) / 2 + DISC)
        lean += random.normal(0.02, 0.02)
    return spine


def _body(
    depth: float, height: float, taper: float, concavity: float, corner: Floats, lean: float
) -> Floats:
    """Return the outline of one body; its upper border sinks in front where it is tapered."""
    along = np.linspace(0, 1, STEPS)
    front_top = height * (1 - taper)
    lower = np.stack([-depth * (1 - along), height - 4 * concavity * along * (1 - along)], axis=1)
    own = np.vstack([[0.0, front_top], [-depth, 0.0], lower])
    # The lower border's ends hang a little over the disc once the border is hollow.
    own[[2, 1 + STEPS], 1] += 0.25 * concavity
    own -= [0.0, front_top / 2]
    turn = np.array([[np.cos(lean), -np.sin(lean)], [np.sin(lean), np.cos(lean)]])
    return np.asarray(own @ turn.T + corner)
