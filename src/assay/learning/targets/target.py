"""The question of what a plan's targets are; the preflight asks it, and knows no answer by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from assay.learning.targets.faults import constant, count_faults

if TYPE_CHECKING:
    from torch import Tensor

    from assay.contract.checks import Check
    from assay.learning.targets.faults import Array, Fault

Either = TypeVar("Either", "Array", "Tensor")
Shape = tuple[int | str, ...]


class PointFrame(Protocol):
    """The picture in whose pixels points are told; `gaps`: a point may be absent, and is nan."""

    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def gaps(self) -> bool: ...


class Target(Protocol):
    """A kind of targets: a class that inherits this, and answers what it answers otherwise.

    Targets are (n, *shape) of `dtype`; what is asked about them is asked of such alone.

    Attributes:
        dtype: of the targets, as numpy names it.
        tolerance: what labels may change by on the way to targets and back, for people; see `changed`.
    """

    dtype: str
    tolerance: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of one row's target."""
        ...

    @property
    def outputs(self) -> int:
        """Return how many numbers a prediction of one row has."""
        ...

    @property
    def meaning(self) -> str:
        """Return what the numbers are, for people: ` of 2–25 g/dL, varied`."""
        ...

    @property
    def frame(self) -> PointFrame | None:
        """Return where points lie that `TrainingSpec.geometry` moves; none where there are none."""
        return None

    def points_in(self, targets: Either) -> Either:
        """Return the points (n, points, 2) of targets that have any."""
        return targets

    def with_points(self, targets: Tensor, points: Tensor) -> Tensor:
        """Return the targets with other points; what else stands there stays as it is."""
        return points

    def for_loss(self, targets: Tensor) -> Tensor:
        """Return what the loss is fed of stored targets (b, *shape)."""
        return targets

    def decode(self, targets: Array) -> Array:
        """Return labels: the targets themselves, where `TrainData.decode` says nothing else."""
        return targets

    def changed(self, labels: Array, decoded: Array) -> Array:
        """Return, number by number, where labels did not come back; here where they are not equal."""
        return np.asarray(labels != decoded)

    def faults(self, targets: Array, size: tuple[int, int]) -> Iterator[Fault]:
        """Yield what is wrong with targets of images of `size` (width, height) px."""
        yield from count_faults(~np.isfinite(targets), "not finite")
        yield from constant(targets)

    def coverage(self, train: Array, valid: Array, ids: Array) -> Sequence[Check]:
        """Return whether training has what validation, of rows `ids`, asks for."""
        return ()

    def apart(self, targets: Array) -> Mapping[str, Array]:
        """Return by name what is learned by heart each for itself; what is absent costs nothing."""
        return {"": targets}

    def fits(self, outputs: Shape, targets: Shape, integers: bool) -> tuple[bool, str]:
        """Return whether a network's outputs and what its loss is fed belong together, and what would.

        Args:
            outputs: shape of what the network says of a batch.
            targets: shape of what `for_loss` gives of it.
            integers: whether the loss takes class indices, with an output for each class.
        """
        return outputs == targets, "outputs and labels of one shape"
