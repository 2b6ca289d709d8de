"""What a person sees of branches at work: a bar a branch on a terminal, one line a stage everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic
from typing import TYPE_CHECKING

from assay.runs.console import Bar, Bars

if TYPE_CHECKING:
    from rich.console import Console

    from assay.repro.child import Child


class Board(Bars):
    """A bar a running branch, and one for all."""

    def __init__(self, console: Console, stages: int) -> None:
        super().__init__(console, stages)
        self._ended: dict[int, list[str]] = {}
        self._since: dict[int, float] = {}

    def show(self, running: Mapping[int, Child]) -> None:
        """Draw where the branches are, and print a line for each stage that has ended."""
        bars = {number: self._bar(number, child) for number, child in running.items()}
        self.draw(bars, sum(map(len, self._ended.values())))

    def _bar(self, number: int, child: Child) -> Bar:
        ended = self._ended.setdefault(number, [])
        since = self._since.setdefault(number, monotonic())
        for name in child.over[len(ended) :]:
            self.console.print(f"done  {name}  {monotonic() - since:.0f} s", soft_wrap=True)
            ended.append(name)
            since = self._since[number] = monotonic()
        return Bar(child.stage, len(ended), len(child.branch.stages), child.said)
