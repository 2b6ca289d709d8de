"""The driver: has every job of a list done once, by whichever of several drivers claims it first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING

from assay.errors import AssayError, MachineError
from assay.jobs.outcome import Outcome

if TYPE_CHECKING:
    from assay.jobs.executor import Ended, Executor
    from assay.jobs.job import Job
    from assay.jobs.progress import JobProgress
    from assay.jobs.store import JobStore

TRIES = 3  # failures of a job, and it has failed
KILLS = 10  # of a job; what kills its process so often does so for ever
POLL = 0.1  # seconds between two looks at what other drivers have done


def run_jobs(
    jobs: Sequence[Job],
    executor: Executor,
    store: JobStore,
    progress: JobProgress,
    tries: int = TRIES,
) -> list[Outcome]:
    """Have every job done, and return what came of each, in their order.

    A finished one is not done again, whoever did it; one that another driver has claimed is waited for;
    one whose driver or worker was killed goes on.

    Args:
        jobs: each once.
        executor: does those that are claimed here; it is stopped at the end.
        store: of the results.
        progress: is told.
        tries: failures after which a job is given up; what was refused in words fails at once.
    """
    with progress:
        try:
            return _Drive(jobs, executor, store, progress, tries).run()
        finally:
            executor.stop()


class _Drive:
    """One call of `run_jobs`."""

    def __init__(
        self,
        jobs: Sequence[Job],
        executor: Executor,
        store: JobStore,
        progress: JobProgress,
        tries: int,
    ) -> None:
        self.executor, self.store, self.progress, self.tries = executor, store, progress, tries
        self.pending = list(jobs)
        for job in jobs:
            store.enter(job)
        self.keys = [job.key for job in jobs]
        self.before = {job.key: len(store.failures(job)) for job in jobs}
        self.claims: dict[str, IO[str]] = {}  # of the jobs that run here
        self.kills: Counter[str] = Counter()
        self.outcomes: dict[str, Outcome] = {}

    def run(self) -> list[Outcome]:
        while self.pending or self.claims:
            for job in list(self.pending):
                self._look(job)
            self.progress.show()
            for ended in self.executor.ended(POLL if self.pending or self.claims else 0):
                self._end(ended)
        return [self.outcomes[key] for key in self.keys]

    def _look(self, job: Job) -> None:
        """Take a job up, if it is done or nobody has it."""
        if not self._is_settled(job) and len(self.claims) < self.executor.slots:
            claim = self.store.claim(job)
            if claim is None:
                if holder := self.store.holder(job):  # none: somebody has only looked
                    self.progress.elsewhere(job, holder)
                return
            if self._is_settled(job):  # between the look and the claim
                claim.close()
                return
            self.claims[job.key] = claim
            self.pending.remove(job)
            self.progress.begin(job)
            self.executor.start(job)

    def _is_settled(self, job: Job) -> bool:
        """Say whether a job has an outcome; note it where that is new."""
        if folder := self.store.result(job):
            self._settle(Outcome(job, folder))
            return True
        reasons = self.store.failures(job)[self.before[job.key] :]
        if len(reasons) >= self.tries:
            found = f"failed {len(reasons)} times; the last: {reasons[-1]}"
            mend = f"see {self.store.folder(job)}, then the same command"
            fault = MachineError(f"{job.task} {job.key}", found, mend=mend)
            self._settle(Outcome(job, None, fault))
            return True
        return False

    def _settle(self, outcome: Outcome) -> None:
        self.outcomes[outcome.job.key] = outcome
        if outcome.job in self.pending:
            self.pending.remove(outcome.job)
        self.progress.end(outcome)

    def _end(self, ended: Ended) -> None:
        """Settle a job that ended here, or have it done again."""
        job, fault = ended.job, ended.fault
        is_final = isinstance(fault, AssayError) or self.tries == 1
        if fault is not None and ended.was_killed:
            self.kills[job.key] += 1
            if is_final := self.kills[job.key] >= KILLS:
                found = f"killed {KILLS} times, and given up; the last: {_said(fault)}"
                mend = f"see {self.store.folder(job)}, then the same command"
                fault = MachineError(f"{job.task} {job.key}", found, mend=mend)
        if fault is not None and (is_final or not ended.was_killed):
            self.store.fail(job, _said(fault))
        self.claims.pop(job.key).close()
        if fault is not None and is_final and self.store.result(job) is None:
            self._settle(Outcome(job, None, fault))
        elif not self._is_settled(job):
            self.progress.again(ended)
            self.pending.append(job)


def _said(fault: Exception) -> str:
    return fault.render() if isinstance(fault, AssayError) else f"{type(fault).__name__}: {fault}"
