"""Which modules a stage can reach from its entries: what they import, and what that imports.

An import within a function counts where the function's name stands in code that counts: `train` names
`fit` and not `pictures`, so what draws a task's pictures is no part of its training. Names are taken
without asking whose they are: too many functions count, never too few, but for one that is called by a
name that is put together while it runs. An import that was missed so is refused when it happens, see
`declared`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from assay.code.left_out import is_table
from assay.code.source import PACKAGE

if TYPE_CHECKING:
    from assay.code.parsed import Uses
    from assay.code.source import SourceTree


@dataclass
class Reach:
    """What was found so far.

    Attributes:
        source: the files.
        modules: of this package.
        others: the first names of other packages' modules.
        names: that stand in code that counts.
    """

    source: SourceTree
    modules: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    _waiting: dict[str, list[Uses]] = field(default_factory=dict)

    def enter(self, module: str) -> None:
        """Count a module, the packages that it lies in, and what these reach."""
        parts = module.split(".")
        for length in range(1, len(parts) + 1):
            self._enter(".".join(parts[:length]))

    def call(self, names: Iterable[str]) -> None:
        """Count every function of these names."""
        for name in set(names) - self.names:
            self.names.add(name)
            for part in self._waiting.pop(name, []):
                self._take(part)

    def _enter(self, module: str) -> None:
        found = self.source.parsed(module)
        if module in self.modules or found is None:
            return
        self.modules.add(module)
        if is_table(module):
            return  # it names every task of its system
        self._take(found.own)
        for name, parts in found.functions.items():
            if name not in self.names:
                self._waiting.setdefault(name, []).extend(parts)
                continue
            for part in parts:
                self._take(part)

    def _take(self, part: Uses) -> None:
        for name in part.imports:
            if name.partition(".")[0] == PACKAGE:
                self.enter(name)
            else:
                self.others.add(name.partition(".")[0])
        self.call(part.names)
