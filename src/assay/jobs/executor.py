"""Where jobs are done: in this process, in others beside it, on other machines; one small interface."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from assay.jobs.job import Job
    from assay.jobs.store import JobStore

    Work = Callable[[Job, JobStore], None]  # trains a job, and puts its result into a store


@dataclass(frozen=True)
class Ended:
    """A job that is done no longer.

    Attributes:
        job: which.
        fault: why there is no result; None: there is one.
        was_killed: whether its process was killed, or its machine was lost: it did not fail by itself.
    """

    job: Job
    fault: Exception | None = None
    was_killed: bool = False


class Executor(Protocol):
    """Does jobs that somebody holds the claim of; a job that ends well has its result in the store.

    Attributes:
        slots: jobs at once.
    """

    slots: int

    def start(self, job: Job) -> None:
        """Begin a job, or do it whole."""
        ...

    def ended(self, timeout: float) -> list[Ended]:
        """Return the jobs that have ended since; wait for one, at most `timeout` seconds."""
        ...

    def stop(self) -> None:
        """Kill what still runs, and free what is held."""
        ...


class InProcess:
    """Does one job after another, in this process.

    Args:
        work: see `Work`.
        store: takes the results.
    """

    slots = 1

    def __init__(self, work: Work, store: JobStore) -> None:
        self._work, self._store = work, store
        self._ended: list[Ended] = []

    def start(self, job: Job) -> None:
        """Do the job."""
        try:
            self._work(job, self._store)
        except Exception as fault:  # noqa: BLE001, a library's, or ours: the driver judges it
            self._ended.append(Ended(job, fault))
        else:
            self._ended.append(Ended(job))

    def ended(self, timeout: float) -> list[Ended]:
        """Return what was done since; the rest is elsewhere, and is waited for."""
        done, self._ended = self._ended, []
        if not done:
            time.sleep(timeout)
        return done

    def stop(self) -> None:
        """Nothing runs."""
