"""What a person sees of jobs while a driver has them done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from assay.jobs.display import Best, Display, Tally, finite, time_left
from assay.jobs.reached import Reached
from assay.runs.console import Bar, make_console
from assay.runs.files import read_json
from assay.runs.record import RECORD

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from assay.contract.task import Task
    from assay.jobs.executor import Ended
    from assay.jobs.job import Job
    from assay.jobs.outcome import Outcome
    from assay.jobs.store import JobStore

TICK = 0.5  # seconds between two looks at the event logs


@dataclass(frozen=True)
class _Part:
    """A job at work: since when it was watched, and the epochs that it had then."""

    job: Job
    since: float
    before: int

    def now(self, root: Path) -> Reached:
        found = Reached.read(root, self.job, self.since)
        return found if found.epochs else Reached(self.before, found.of, {}, self.since, self.since)


class JobProgress:
    """Is told by a driver. One job alone shows its own epochs, and nothing is said of it but who has it.

    Args:
        task: whose jobs they are; knows which result is better.
        jobs: all.
        store: of their results.
        slots: jobs at once; one alone draws a bar of its own.
        console: where to.
        name: of a job among the others.
        unit: what one is called.
        clock: seconds since 1970.
    """

    def __init__(
        self, task: Task, jobs: Sequence[Job], store: JobStore, slots: int = 1,
        console: Console | None = None,
        name: Callable[[Job], str] = lambda job: f"fold {job.fold}", unit: str = "fold",
        clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._task, self._store, self._slots, self._total = task, store, slots, len(jobs)
        self._name, self._unit, self._clock = name, unit, clock
        self._metric = task.headline.metric
        self._display = Display(
            console or make_console(), unit, len(jobs), is_live=slots > 1 and len(jobs) > 1
        )
        self._parts: dict[str, _Part] = {}  # at work, here or elsewhere
        self._elsewhere: set[str] = set()
        self._ended: list[tuple[float, float]] = []  # here: seconds, and the share of a job in them
        self._results: dict[str, tuple[str, Mapping[str, float]]] = {}  # name, chosen epoch
        self._failed, self._drawn = 0, 0.0
        for job in jobs:
            self._take(job, store.result(job))

    def __enter__(self) -> Self:
        if self._results:
            self._display.known(self._tally())
        self._display.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._display.stop()

    def begin(self, job: Job) -> None:
        """A job begins here."""
        is_half, now = self._store.work(job).exists(), self._clock()
        before = Reached.read(self._store.root, job).epochs if is_half else 0
        self._parts[job.key] = _Part(job, now, before)
        self._elsewhere.discard(job.key)

    def elsewhere(self, job: Job, holder: str) -> None:
        """Another driver, of this process, has a job."""
        if job.key not in self._elsewhere:
            self._elsewhere.add(job.key)
            begun = Reached.read(self._store.root, job).begun or self._clock()
            self._parts[job.key] = _Part(job, begun, 0)
            told = f"runs elsewhere, process {holder}"
            alone = f"{job.stage} {told}; waiting"
            self._display.remark(f"{self._name(job)} {told}" if self._total > 1 else alone)

    def again(self, ended: Ended) -> None:
        """A job was killed, or failed, and is done again."""
        self._parts.pop(ended.job.key)
        how = "was killed, goes on" if ended.was_killed else "failed, is tried again"
        self._display.remark(f"{self._name(ended.job)} {how}: {first_line(ended.fault)}")

    def end(self, outcome: Outcome) -> None:
        """A job has its outcome."""
        job, part = outcome.job, self._parts.pop(outcome.job.key, None)
        if job.key in self._results:
            return  # known before
        if part and job.key not in self._elsewhere:
            of = int(job.params[job.task]["train"]["epochs"])
            self._ended.append((self._clock() - part.since, 1 - part.before / of))
        self._elsewhere.discard(job.key)
        self._take(job, outcome.folder)
        self._failed += outcome.folder is None
        if self._total > 1:
            said = f"failed: {first_line(outcome.fault)}"
            if outcome.folder:
                said = f"{self._metric} {self._results[job.key][1][self._metric]:.4g}"
            self._display.tell(self._tally(), self._name(job), said)
            self.show(is_due=True)

    def show(self, is_due: bool = False) -> None:
        """Draw, on a terminal, how far each job is."""
        if self._display.is_live and (is_due or self._clock() - self._drawn >= TICK):
            self._drawn, bars, metric = self._clock(), {}, self._metric
            for key, part in self._parts.items():
                far = part.now(self._store.root)
                said = f"{metric} {far.row[metric]:.4g}" if metric in far.row else ""
                bars[key] = Bar(self._name(part.job), far.epochs, far.of, said)
            self._display.draw(bars, self._tally())

    def _take(self, job: Job, result: Path | None) -> None:
        if result:
            self._results[job.key] = self._name(job), read_json(result / RECORD)["chosen"]

    def _tally(self) -> Tally:
        done, root = len(self._results), self._store.root
        left, slots = self._total - done - self._failed, self._slots + len(self._elsewhere)
        found = [(part, part.now(root)) for part in self._parts.values()]
        whole = self._whole(found)
        needs = [
            max(0.0, whole * (1 - far.epochs / far.of) - self._clock() + far.last)
            for _, far in found
        ] if whole else []  # fmt: skip
        return Tally(
            self._unit, self._total, done, min(slots, left), self._failed,
            best_of(self._task, self._results.values()), "", whole,
            whole and time_left(whole, needs, left - len(needs), slots),
        )  # fmt: skip

    def _whole(self, found: Sequence[tuple[_Part, Reached]]) -> float | None:
        """Return the seconds of a job: of those that ended here, or by the epochs of those that run."""
        parts = self._ended or [
            (far.last - part.since, (far.epochs - part.before) / far.of)
            for part, far in found
        ]  # fmt: skip
        made = sum(share for _, share in parts)
        return sum(seconds for seconds, _ in parts) / made if made > 0 else None


def best_of(task: Task, results: Iterable[tuple[str, Mapping[str, float]]]) -> Best | None:
    """Return the best of named results, by the task's own rank of their chosen epochs."""
    metric = task.headline.metric
    known = [each for each in results if finite(each[1][metric]) is not None]
    if not known:
        return None
    name, chosen = min(known, key=lambda each: task.rank(each[1]))
    return Best(name, metric, chosen[metric])


def first_line(fault: object) -> str:
    """Return what is said of a fault, in one line."""
    return str(fault).removeprefix("error: ").partition("\n")[0]
