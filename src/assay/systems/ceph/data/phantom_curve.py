"""Curves and shapes of the phantom skull: smooth outlines through given points, in millimetres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from assay.systems.ceph.data.landmarks import PLACE
from assay.systems.ceph.data.mean_face import Floats

Points = Sequence[Floats | tuple[float, float]] | Floats
STEPS = 6  # points drawn between two given ones


@dataclass(frozen=True)
class Shape:
    """One thing that X-rays cross.

    Attributes:
        outline: (k, 2) in mm.
        weight: what it adds to the attenuation; negative where it is hollow.
        width: of the line in mm, or 0 where the outline is filled.
        soft: whether its edges fade, as those of round things do.
    """

    outline: Floats
    weight: float
    width: float = 0.0
    soft: bool = False


@cache
def _basis() -> Floats:
    """Return the weights of four neighbours (STEPS, 4): Catmull–Rom, which passes through its points."""
    t = np.arange(STEPS)[:, None] / STEPS
    powers = np.hstack([np.ones_like(t), t, t**2, t**3])
    spline = np.array([[0.0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2
    return np.asarray(powers @ spline)


def moved(point: Floats, x: float, y: float) -> Floats:
    """Return the place x mm before and y mm below a point (2,)."""
    return np.asarray(point + np.array([x, y]))


def at(face: Floats, symbol: str, x: float = 0.0, y: float = 0.0) -> Floats:
    """Return the place x mm before and y mm below a landmark of `face` (29, 2)."""
    return moved(face[PLACE[symbol]], x, y)


def closed(points: Points) -> Floats:
    """Return a smooth closed curve through the points."""
    given = np.asarray(points, dtype=np.float64)
    around = np.stack([np.roll(given, shift, axis=0) for shift in (1, 0, -1, -2)], axis=1)
    return np.asarray((_basis() @ around).reshape(-1, 2))


def opened(points: Points) -> Floats:
    """Return a smooth curve from the first point to the last."""
    given = np.asarray(points, dtype=np.float64)
    padded = np.vstack([given[:1], given, given[-1:]])
    around = np.stack([padded[i : len(padded) - 3 + i] for i in range(4)], axis=1)
    return np.vstack([(_basis() @ around).reshape(-1, 2), given[-1:]])


def ellipse(centre: Floats, across: float, down: float, tilt: float = 0.0) -> Floats:
    """Return an ellipse (32, 2) by its half axes, tilted clockwise by radians."""
    angle = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    own = np.stack([across * np.cos(angle), down * np.sin(angle)], axis=1)
    turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    return np.asarray(own @ turn.T + centre)
