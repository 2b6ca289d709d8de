"""Points and a class of one row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from assay.learning.targets.faults import constant
from assay.learning.targets.points import Points
from assay.learning.targets.target import Target

if TYPE_CHECKING:
    from torch import Tensor

    from assay.contract.checks import Check
    from assay.learning.targets.classes import Classes
    from assay.learning.targets.faults import Array, Fault
    from assay.learning.targets.target import Either, Shape


@dataclass(frozen=True)
class Joint(Target):
    """Points and a class of one row, from one network: float32 (n, 2 · points + 1), the class last.

    A point or a class that is absent is nan. The network says the coordinates, then the class's logits:
    (n, 2 · points + classes).
    """

    points: Points
    classes: Classes

    dtype = "float32"
    tolerance = Points.tolerance

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.points.outputs + 1,)

    @property
    def outputs(self) -> int:
        return self.points.outputs + self.classes.outputs

    @property
    def meaning(self) -> str:
        return f"{self.points.meaning}; the last a class {self.classes.range}, or nan, varied"

    @property
    def frame(self) -> Points:
        return self.points

    def points_in(self, targets: Either) -> Either:
        """Return the points (n, points, 2)."""
        return target_points(targets)

    def with_points(self, targets: Tensor, points: Tensor) -> Tensor:
        """Return other points with the class that was there."""
        return torch.cat([points.flatten(1), targets[:, -1:]], dim=1)

    def changed(self, labels: Array, decoded: Array) -> Array:
        """Return where points came back elsewhere; a class is the same one, or another."""
        changed = self.points.changed(labels, decoded)
        known = ~np.isnan(labels[:, -1].astype("float64"))
        changed[:, -1] |= known & (decoded[:, -1] != labels[:, -1])
        return changed

    def faults(self, targets: Array, size: tuple[int, int]) -> Iterator[Fault]:
        """Yield what is wrong with either."""
        spots, grades = target_points(targets), targets[:, -1]
        yield from self.points.outside(spots, size)
        yield from constant(spots, "points")
        yield from self.classes.outside(grades)
        yield from constant(grades, "classes")

    def coverage(self, train: Array, valid: Array, ids: Array) -> list[Check]:
        """Ask for every point and every class in both parts."""
        points = self.points.seen(target_points(train), target_points(valid))
        [classes] = self.classes.coverage(train[:, -1], valid[:, -1], ids)
        return [points, replace(classes, name="coverage of classes")]

    def apart(self, targets: Array) -> dict[str, Array]:
        """Else the one that weighs less in the common loss could stay unlearned unseen."""
        spots, grades = targets.copy(), targets.copy()
        spots[:, -1] = grades[:, :-1] = np.nan
        return {"points": spots, "classes": grades}

    def fits(self, outputs: Shape, targets: Shape, integers: bool) -> tuple[bool, str]:
        """Compare each with its own number: they differ."""
        expected = f"outputs (b, {self.outputs}), labels (b, {self.shape[0]})"
        return outputs == (targets[0], self.outputs) and targets[1:] == self.shape, expected


def target_points(targets: Either) -> Either:
    """Return the points (n, points, 2) of points and a class (n, 2 · points + 1)."""
    return targets[:, :-1].reshape(len(targets), -1, 2)
