"""One display of many trainings, jobs or trials: how many are how far, the best, the time left."""

from __future__ import annotations

import heapq
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console

from assay.runs.console import Bars

if TYPE_CHECKING:
    from assay.runs.console import Bar


@dataclass(frozen=True)
class Best:
    """The best so far: whose it is, and its value of a metric."""

    name: str
    metric: str
    value: float

    def __str__(self) -> str:
        return f"best {self.metric} {self.value:.4g} ({self.name})"


@dataclass(frozen=True)
class Tally:
    """How many trainings are how far.

    Attributes:
        unit: what one is called.
        total: all, with those that ended before.
        done, running, failed: of them; the rest waits.
        best: so far.
        said: of the best, where one metric does not say it.
        seconds: that one takes.
        seconds_left: until all have ended.
    """

    unit: str
    total: int
    done: int
    running: int
    failed: int
    best: Best | None = None
    said: str = ""
    seconds: float | None = None
    seconds_left: float | None = None

    def __str__(self) -> str:
        return f"{self.running} running, {self.failed} failed{self.ahead()}"

    def ahead(self) -> str:
        """Return the best and the time left as text, what is known of them."""
        each = f"{_duration(self.seconds)} a {self.unit}" if self.seconds else ""
        is_known = self.running and self.seconds_left is not None
        left = f"{_duration(self.seconds_left or 0)} left" if is_known else ""
        times = ", ".join(filter(None, [each, left]))
        parts = [self.said or str(self.best or ""), times]
        return "".join(f" · {part}" for part in parts if part)

    def facts(self) -> dict[str, Any]:
        """Return it for programs; of an unknown number, or none, null."""
        best = self.best and {**vars(self.best), "value": finite(self.best.value)}
        left = self.seconds_left if self.seconds_left is None else round(self.seconds_left, 1)
        return {
            "done": self.done, "running": self.running, "failed": self.failed, "total": self.total,
            "best": best, "seconds_left": left,
        }  # fmt: skip


class Display:
    """Where a tally goes: a line for each that ends, bars on a terminal; or JSON, a document a line.

    Args:
        console: where to.
        unit: what one training is called.
        total: trainings.
        is_live: whether there are bars; not beside what draws its own.
        as_json: documents alone; what else there is to say goes to stderr.
    """

    def __init__(
        self, console: Console, unit: str, total: int, *, is_live: bool = True, as_json: bool = False
    ) -> None:  # fmt: skip
        self.total, self._console, self._as_json = total, console, as_json
        self._bars = Bars(console, total, f"{unit}s")
        self._bars.disable |= as_json or not is_live
        self.is_live = not self._bars.disable
        self.start, self.stop = self._bars.start, self._bars.stop

    def known(self, tally: Tally) -> None:
        """Say how many there were before."""
        told = f"{tally.done} of {tally.total} {tally.unit}s known already{tally.ahead()}"
        self._say(tally, told if tally.done or tally.failed else "", None)

    def tell(self, tally: Tally, name: str, said: str, **ended: Any) -> None:
        """Say what came of one, as text, and as facts for programs."""
        told = f"[{tally.done}/{tally.total}] {name}: {said} · {tally}"
        self._say(tally, told, {"name": name, **ended})

    def remark(self, text: str) -> None:
        """Say anything else."""
        Console(stderr=True).out(text) if self._as_json else self._out(text)

    def draw(self, running: Mapping[Any, Bar], tally: Tally) -> None:
        """Draw a bar for each that runs."""
        self._bars.draw(running, tally.done, f"{tally.failed} failed{tally.ahead()}")

    def _say(self, tally: Tally, told: str, ended: Mapping[str, Any] | None) -> None:
        if self._as_json:
            self._out(json.dumps({**tally.facts(), "ended": ended}))
        elif told:
            self._out(told)

    def _out(self, text: str) -> None:
        self._console.out(text, highlight=False)


def finite(value: float) -> float | None:
    """Return a number as JSON has it."""
    return value if math.isfinite(value) else None


def time_left(whole: float, running: Sequence[float], waiting: int, slots: int) -> float:
    """Return the seconds until all have ended.

    Args:
        whole: that one takes.
        running: that each of those which run still takes.
        waiting: how many have not begun; each goes where something ends first.
        slots: at once.
    """
    ends = sorted([*running, *[0.0] * (slots - len(running))])
    for _ in range(waiting):
        heapq.heapreplace(ends, ends[0] + whole)
    return max(ends)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
