"""What a person sees on a terminal: text as it is, and bars of what runs side by side."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from rich.console import Console, RenderableType
from rich.constrain import Constrain
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column

WIDTH = 100


def make_console(file: IO[str] | None = None) -> Console:
    """Return a console, of stdout or a file, that colours nothing by itself; text is text, no markup."""
    width = None if sys.stdout.isatty() else WIDTH
    return Console(file=file, width=width, highlight=False, markup=False, emoji=False)


@contextmanager
def stdout_alone() -> Iterator[IO[str]]:
    """Yield stdout as a file, and send to stderr whatever else is written there meanwhile."""
    sys.stdout.flush()
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as own:
        os.dup2(2, 1)
        try:
            yield own
        finally:
            sys.stdout.flush()
            os.dup2(own.fileno(), 1)


@dataclass(frozen=True)
class Bar:
    """One bar: its name, how far it is, of how much, and what stands behind it."""

    name: str
    done: int
    total: int | None
    said: str = ""


class Bars(Progress):
    """A bar each, and one for all; redrawn when asked: no thread stands beside the forks."""

    def __init__(self, console: Console, total: int, name: str = "all") -> None:
        self._shown_on = console  # asked while this is made
        super().__init__(
            TextColumn("{task.description}", markup=False), BarColumn(bar_width=20), MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[said]}", markup=False, table_column=Column(no_wrap=True, ratio=1)),
            console=console, auto_refresh=False, transient=True, expand=True,
            disable=not console.is_terminal,
        )  # fmt: skip
        self._all = self.add_task(name, total=total, said="")
        self._bars: dict[Any, TaskID] = {}

    def draw(self, running: Mapping[Any, Bar], done: int, said: str = "") -> None:
        """Draw what runs, by what tells one from another; and how many are done of all."""
        for key in self._bars.keys() - running.keys():
            self.remove_task(self._bars.pop(key))
        for key, bar in running.items():
            if key not in self._bars:
                self._bars[key] = self.add_task(bar.name, total=bar.total, said="")
            self.update(
                self._bars[key], description=bar.name, completed=bar.done, total=bar.total, said=bar.said
            )  # fmt: skip
        self.update(self._all, completed=done, said=said)
        self.refresh()

    def get_renderable(self) -> RenderableType:
        """Leave room for the ^C that a terminal writes: a line that it breaks would stay behind."""
        return Constrain(super().get_renderable(), self._shown_on.width - len("^C"))
