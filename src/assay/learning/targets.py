"""What a plan's targets are: values, classes, points, or both of these; the preflight holds to it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Values:
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
        """Return how many numbers a network says about one row."""
        return math.prod(self.shape)

    def decode(self, targets: Array) -> Array:
        """Return labels: the values themselves."""
        return targets


@dataclass(frozen=True)
class Classes:
    """Class indices, int64 (n,), for a loss that takes integers; the network says (n, classes).

    Attributes:
        names: as the manifest writes them, in the order of the indices.
        gaps: a class may be absent of training or of validation; it keeps its index, and is told.
    """

    names: tuple[str, ...]
    gaps: bool = False

    dtype = "int64"
    shape = ()

    @property
    def outputs(self) -> int:
        """Return how many numbers a network says about one row."""
        return len(self.names)

    def decode(self, targets: Array) -> Array:
        """Return labels: the names."""
        return np.asarray(self.names)[targets]


@dataclass(frozen=True)
class Points:
    """Points (x, y) in px of the frame: float32 (n, points, 2); a pixel's centre is at whole numbers.

    Attributes:
        names: of the points.
        width: of the frame, px; the stored images are of its size.
        height: of the frame, px.
        gaps: a point may be absent: both its coordinates are nan, and the loss leaves it out.
    """

    names: tuple[str, ...]
    width: int
    height: int
    gaps: bool = False

    dtype = "float32"

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of one row's target."""
        return (len(self.names), 2)

    @property
    def outputs(self) -> int:
        """Return how many numbers a prediction of one row has."""
        return 2 * len(self.names)

    def decode(self, targets: Array) -> Array:
        """Return labels where those are in px of the frame too; else the set has a decoder."""
        return targets


@dataclass(frozen=True)
class Joint:
    """Points and a class of one row, from one network: float32 (n, 2 · points + 1), the class last.

    A point or a class that is absent is nan. The network says the coordinates, then the class's logits:
    (n, 2 · points + classes).
    """

    points: Points
    classes: Classes

    dtype = "float32"

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of one row's target."""
        return (self.points.outputs + 1,)

    @property
    def outputs(self) -> int:
        """Return how many numbers a network says about one row."""
        return self.points.outputs + self.classes.outputs

    def decode(self, targets: Array) -> Array:
        """Return labels where those are in px of the frame too; else the set has a decoder."""
        return targets


Kind = Values | Classes | Points | Joint
Either = TypeVar("Either", Array, Tensor)


def target_points(targets: Either) -> Either:
    """Return the points (n, points, 2) of targets of either kind that has them."""
    return targets if targets.ndim == 3 else targets[:, :-1].reshape(len(targets), -1, 2)


def with_target_points(targets: Tensor, points: Tensor) -> Tensor:
    """Return the targets with other points (n, points, 2); a class stays as it is."""
    return points if targets.ndim == 3 else torch.cat([points.flatten(1), targets[:, -1:]], dim=1)
