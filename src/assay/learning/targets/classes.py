"""Class indices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from assay.learning.targets.faults import INDICES, constant, count_faults, seen_in_both
from assay.learning.targets.target import Target

if TYPE_CHECKING:
    from assay.contract.checks import Check
    from assay.learning.targets.faults import Array, Fault
    from assay.learning.targets.target import Shape

FROM_0 = "class 1 is index 0"


@dataclass(frozen=True)
class Classes(Target):
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
        return len(self.names)

    @property
    def meaning(self) -> str:
        return f" of {self.range}, for an integer loss, varied"

    @property
    def range(self) -> str:
        return f"0–{len(self.names) - 1}"

    def decode(self, targets: Array) -> Array:
        """Return labels: the names."""
        return np.asarray(self.names)[targets]

    def changed(self, labels: Array, decoded: Array) -> Array:
        """Return where another name came back."""
        return np.asarray(labels.astype(str) != decoded.astype(str))

    def faults(self, targets: Array, size: tuple[int, int]) -> Iterator[Fault]:
        """Yield what is no index."""
        yield from self.outside(targets)
        yield from constant(targets)

    def outside(self, targets: Array) -> Iterator[Fault]:
        """Yield what is no index; a class that is absent beside points is nan, as they are."""
        known = ~np.isnan(targets)
        wrong = known & ((targets < 0) | (targets >= len(self.names)))
        yield from count_faults(wrong, f"outside {self.range}", FROM_0)
        yield from count_faults(known & ~wrong & (targets % 1 != 0), "between two classes", INDICES)

    def coverage(self, train: Array, valid: Array, ids: Array) -> list[Check]:
        """Ask for every class in both parts."""
        there = [np.isin(np.arange(len(self.names)), part) for part in (train, valid)]
        check = seen_in_both("classes", self.names, there, len(train) + len(valid))
        if not self.gaps:
            return [check]
        expected = "a class that training or validation lacks is told, and keeps its index"
        return [replace(check, passed=True, expected=expected, mend="")]

    def fits(self, outputs: Shape, targets: Shape, integers: bool) -> tuple[bool, str]:
        """An ordinal head has a threshold between two classes, and a loss of its own."""
        known = [self.outputs] + ([] if integers else [self.outputs - 1])
        expected = f"outputs (b, {' or '.join(map(str, known))}), labels (b,)"
        return outputs in [(targets[0], number) for number in known], expected
