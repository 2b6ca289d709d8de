"""Points of images, in their pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from assay.learning.targets.faults import Fault, constant, count_faults, seen_in_both
from assay.learning.targets.target import Target

if TYPE_CHECKING:
    from assay.contract.checks import Check
    from assay.learning.targets.faults import Array
    from assay.learning.targets.target import Shape

TOLERANCE = 0.01  # px of the labels


@dataclass(frozen=True)
class Points(Target):
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
    tolerance = f" beyond {TOLERANCE} px"

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.names), 2)

    @property
    def outputs(self) -> int:
        return 2 * len(self.names)

    @property
    def meaning(self) -> str:
        return f" in a frame of {self.width} × {self.height} px, varied"

    @property
    def frame(self) -> Points:
        return self

    def changed(self, labels: Array, decoded: Array) -> Array:
        """Return which coordinates came back elsewhere."""
        near = np.isclose(decoded.astype("float64"), labels, 0, TOLERANCE, equal_nan=True)
        return np.asarray(~near)

    def faults(self, targets: Array, size: tuple[int, int]) -> Iterator[Fault]:
        """Yield what lies outside the frame, or in another one."""
        yield from self.outside(targets, size)
        yield from constant(targets)

    def outside(self, targets: Array, size: tuple[int, int]) -> Iterator[Fault]:
        """Yield what is no point of the frame; an absent one is nan twice, where the plan has gaps."""
        absent = np.isnan(targets).all(axis=-1, keepdims=True) & self.gaps
        yield from count_faults(~np.isfinite(targets) & ~absent, "not finite")
        if size != (self.width, self.height):
            said = f"frame {self.width} × {self.height} px"
            yield Fault(f"{said}, images {size[0]} × {size[1]} px")
        # Pixels are half a pixel wide to either side of their centres.
        wrong = (targets < -0.5) | (targets > np.array([self.width, self.height]) - 0.5)
        yield from count_faults(wrong, f"outside the frame of {self.width} × {self.height} px")
        if np.nanmax(targets, initial=0) <= 1:
            yield Fault("points all lie within 1 px of the corner: shares of the frame, not px")

    def coverage(self, train: Array, valid: Array, ids: Array) -> list[Check]:
        """Ask for every point in both parts, where points may be absent."""
        return [self.seen(train, valid)] if self.gaps else []

    def seen(self, train: Array, valid: Array) -> Check:
        """A point that is nowhere is masked, and told; one in one part alone is a fault."""
        there = [np.asarray(np.isfinite(part).all(axis=2).any(axis=0)) for part in (train, valid)]
        anywhere = there[0] | there[1]
        names = tuple(np.asarray(self.names)[anywhere].tolist())
        masks = [mask[anywhere] for mask in there]
        check = seen_in_both("points", names, masks, len(train) + len(valid))
        if anywhere.all():
            return check
        nowhere = ", ".join(np.asarray(self.names)[~anywhere])
        return replace(check, found=f"{check.found}; nowhere, and not learned: {nowhere}")

    def fits(self, outputs: Shape, targets: Shape, integers: bool) -> tuple[bool, str]:
        """Take heatmaps too, of the points first."""
        if len(outputs) != 4:
            return super().fits(outputs, targets, integers)
        maps = outputs[1]
        count = len(self.names)
        expected = f"outputs (b, {count} maps or more, h, w)"
        return outputs[0] == targets[0] and int(maps) >= count, expected
