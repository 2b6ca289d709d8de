"""What a person sees of branches at work: a bar a branch on a terminal, one line a stage everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column

if TYPE_CHECKING:
    from assay.repro.child import Child


class Board(Progress):
    """A bar a running branch, and one for all; redrawn when asked: no thread stands beside the forks."""

    def __init__(self, console: Console, stages: int) -> None:
        super().__init__(
            TextColumn("{task.description}", markup=False), BarColumn(bar_width=20), MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[said]}", markup=False, table_column=Column(no_wrap=True, ratio=1)),
            console=console, auto_refresh=False, transient=True, expand=True,
            disable=not console.is_terminal,
        )  # fmt: skip
        self._all = self.add_task("all", total=stages, said="")
        self._bars: dict[int, TaskID] = {}
        self._ended: dict[int, list[str]] = {}
        self._since: dict[int, float] = {}

    def show(self, running: Mapping[int, Child]) -> None:
        """Draw where the branches are, and print a line for each stage that has ended."""
        for number, child in running.items():
            self._show(number, child)
        for number in set(self._bars) - set(running):
            self.remove_task(self._bars.pop(number))
        self.update(self._all, completed=sum(map(len, self._ended.values())))
        self.refresh()

    def _show(self, number: int, child: Child) -> None:
        stages = child.branch.stages
        if number not in self._bars:
            self._bars[number] = self.add_task(stages[0], total=len(stages), said="")
            self._ended[number], self._since[number] = [], monotonic()
        ended = self._ended[number]
        for name in child.over[len(ended) :]:
            seconds = monotonic() - self._since[number]
            self.console.print(f"done  {name}  {seconds:.0f} s", soft_wrap=True)
            ended.append(name)
            self._since[number] = monotonic()
        bar, count = self._bars[number], len(ended)
        self.update(bar, description=child.stage, completed=count, said=child.said)
