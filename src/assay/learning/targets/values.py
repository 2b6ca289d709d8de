"""Quantities of one unit."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from assay.contract.checks import Check
from assay.learning.targets.faults import constant, count_faults
from assay.learning.targets.target import Target

if TYPE_CHECKING:
    from assay.learning.targets.faults import Array, Fault

TOLERANCE = 1e-6  # of the value, and of the physical range: float32 keeps 6e-8
BEYOND = 0.05  # of the training labels' range: how far a validation label may lie outside


@dataclass(frozen=True)
class Values(Target):
    """Quantities of one unit: float32 (n, *shape).

    Attributes:
        low: the least that is physically possible.
        high: the most.
        unit: of both, or empty.
        shape: of one row's target.
    """

    low: float
    high: float
    unit: str = ""
    shape: tuple[int, ...] = (1,)

    dtype = "float32"

    @property
    def outputs(self) -> int:
        return math.prod(self.shape)

    @property
    def meaning(self) -> str:
        return f" of {self.low:g}–{self.high:g} {self.unit}".rstrip() + ", varied"

    def changed(self, labels: Array, decoded: Array) -> Array:
        """Return where they differ by more than float32 does."""
        bound = TOLERANCE * (self.high - self.low)
        near = np.isclose(decoded.astype("float64"), labels, TOLERANCE, bound, equal_nan=True)
        return np.asarray(~near)

    def faults(self, targets: Array, size: tuple[int, int]) -> Iterator[Fault]:
        """Yield what is no number, and what is physically impossible."""
        yield from count_faults(~np.isfinite(targets), "not finite")
        wrong = (targets < self.low) | (targets > self.high)
        yield from count_faults(wrong, f"outside {self.low:g}–{self.high:g} {self.unit}".rstrip())
        yield from constant(targets)

    def coverage(self, train: Array, valid: Array, ids: Array) -> list[Check]:
        """Count validation labels that training has nothing near; it stops only where all are such."""
        low, high = train.min(axis=0), train.max(axis=0)
        margin = BEYOND * (high - low)
        beyond = (valid < low - margin) | (valid > high + margin)
        outside = np.flatnonzero(beyond.reshape(len(beyond), -1).any(axis=1))
        ranges = [f"{part.min():.4g}–{part.max():.4g}" for part in (train, valid)]
        found = (
            f"train {ranges[0]}, validation {ranges[1]} {self.unit}".rstrip()
            + f"; {len(outside)} of {len(valid)} validation rows beyond by over {BEYOND:.0%}"
        )
        expected = "validation labels within the range of the training labels; not all beyond"
        fits = len(outside) < len(valid)
        return [Check("coverage", fits, expected, found, len(valid), ids[outside].tolist())]
