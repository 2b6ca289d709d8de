"""The store of jobs as anybody sees it who drives none of them: what is done, what runs, what failed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, Any

from assay.contract.grid import SupportsGrid
from assay.jobs.display import Tally, finite
from assay.jobs.progress import best_of, first_line
from assay.jobs.reached import Reached
from assay.jobs.store import RESULT, JobStore
from assay.lookup import find_task, names
from assay.runs.files import read_json
from assay.runs.places import JOBS, PROOFS
from assay.runs.record import RECORD

if TYPE_CHECKING:
    from pathlib import Path

    from assay.jobs.display import Best
    from assay.jobs.job import Job

SHOWN = 8  # letters of a key
MOST = 20  # jobs of a task that are shown unasked


@dataclass(frozen=True)
class JobState:
    """A job as it stands.

    Attributes:
        job: which.
        label: the beginning of its key; of a grid's, the name of its configuration.
        state: done, running, failed; damaged, half or waiting where nobody has it.
        why: what is to be said of it: who runs it, why it failed.
        reached: its epochs.
        chosen: the epoch that counts, of one that is done.
        seconds: that it ran, until its newest epoch; of one that runs until now.
    """

    job: Job
    label: str
    state: str
    why: str
    reached: Reached
    chosen: Mapping[str, float]
    seconds: float

    @classmethod
    def read(cls, store: JobStore, job: Job, label: str) -> JobState:
        """Read it; the result last: what has it is done, whoever still holds it."""
        reached, holder, failures = (
            Reached.read(store.root, job),
            store.holder(job),
            store.failures(job),
        )
        result = store.result(job)
        chosen = read_json(result / RECORD)["chosen"] if result else {}
        damaged, half = (store.folder(job) / RESULT).exists(), store.work(job).exists()
        states = {
            "done": result, "running": holder, "damaged": damaged, "failed": failures, "half": half
        }  # fmt: skip
        state = next((name for name, found in states.items() if found), "waiting")
        why = {"running": f"process {holder}", "failed": first_line(["", *failures][-1])}
        more = time.time() - reached.last if state == "running" and reached.begun else 0.0
        return cls(job, label, state, why.get(state, ""), reached, chosen, reached.seconds + more)

    @property
    def name(self) -> str:
        return f"{self.label}, fold {self.job.fold}"

    def facts(self, metric: str) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "key": self.job.key, "name": self.name, "fold": self.job.fold, "epochs": self.reached.epochs,
            "of": self.reached.of, "state": self.state, "said": self.why,
            metric: finite(self.chosen[metric]) if self.chosen else None,
            "seconds": round(self.seconds, 1),
        }  # fmt: skip


@dataclass(frozen=True)
class TaskJobs:
    """The jobs of a task, first begun first."""

    task: str
    metric: str
    jobs: Sequence[JobState]
    tally: Tally

    def facts(self) -> dict[str, Any]:
        """Return them for programs."""
        jobs = [each.facts(self.metric) for each in self.jobs]
        return {"task": self.task, **self.tally.facts(), "jobs": jobs}

    def notable(self, most: int = MOST) -> Sequence[JobState]:
        """Return all, or of more than `most` those that run or did not end well, then the best."""
        if len(self.jobs) <= most:
            return self.jobs
        best = [each for each in self.jobs if finite(each.chosen.get(self.metric, nan)) is not None]
        best.sort(key=lambda each: find_task(self.task).rank(each.chosen))
        others = [each for each in self.jobs if each.state not in ("done", "waiting")]
        return [*others, *best][:most]


def overview(root: Path) -> Iterator[TaskJobs]:
    """Yield the jobs of each task that there is, by its name."""
    found: dict[str, list[JobState]] = {}
    known = set(names("tasks", "TASKS"))
    for store in (JobStore(root, JOBS), JobStore(root, PROOFS)):
        for job in store.jobs():
            if job.task in known:
                state = JobState.read(store, job, _label(job))
                found.setdefault(job.task, []).append(state)
    for name in sorted(found):
        jobs, task = found[name], find_task(name)
        jobs.sort(key=lambda each: (each.reached.begun or time.time(), each.job.key))
        best = best_of(task, [(each.name, each.chosen) for each in jobs if each.chosen])
        yield TaskJobs(name, task.headline.metric, jobs, _tally(jobs, best))


def _label(job: Job) -> str:
    task = find_task(job.task)
    if isinstance(task, SupportsGrid):
        return task.name_of(job.params[job.task])
    return job.key[:SHOWN]


def _tally(jobs: Sequence[JobState], best: Best | None) -> Tally:
    """Return the tally; what nobody has taken up is not waited for."""
    done, running, failed = (
        [each for each in jobs if each.state == state] for state in ("done", "running", "failed")
    )
    took = [each.seconds for each in done if each.reached.begun]
    whole = sum(took) / len(took) if took else None
    left = max((_left(each, whole) for each in running), default=0.0)
    return Tally(
        "job", len(jobs), len(done), len(running), len(failed), best, "", whole, left or None
    )


def _left(running: JobState, whole: float | None) -> float:
    """Return the seconds that one still takes: as one that is done, or else by its own epochs."""
    far = running.reached
    pace = whole / far.of if whole else far.seconds / max(far.epochs, 1)
    return max(0.0, pace * (far.of - far.epochs) - time.time() + far.last)
