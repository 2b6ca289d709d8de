"""The workers of a search: processes that are started, replaced where they are killed, and waited for."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import MachineError
from assay.search.progress import Progress
from assay.search.results import read_results
from assay.search.space import make_sampler
from assay.search.storage import grace_period, queue_killed
from assay.search.worker import has_room, run_worker

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess
    from multiprocessing.queues import SimpleQueue

    import optuna

    from assay.errors import AssayError
    from assay.search.plan import StudyPlan
    from assay.search.results import StudyResults

POLL = 0.5  # seconds
KILLED = 10  # workers, and the machine is to blame


def run_workers(
    study: optuna.Study, plan: StudyPlan, root: Path, wanted: int, workers: int,
    say: Callable[[str], None],
) -> StudyResults:  # fmt: skip
    """Run the study until `wanted` trials are complete or pruned; return what came of it.

    Args:
        study: Optuna's, of this plan.
        plan: the study.
        root: the repository's root, where workers work.
        wanted: trials, with those that ended before.
        workers: processes.
        say: takes each line of progress.

    Raises:
        AssayError: a worker gave up; its reason.
    """
    study.sampler = make_sampler(plan.study, 0)  # `has_room` asks it whether the grid is exhausted
    results = read_results(plan, study)
    progress = Progress(results, wanted, workers, say)
    pool = WorkerPool(plan.folder(root), wanted)
    try:
        while has_room(study, wanted) or _has_running(study):
            queue_killed(study)
            pool.check()
            if has_room(study, wanted):
                pool.fill(min(workers, wanted - results.compared))
            elif not pool.alive:
                progress.wait(grace_period())
            time.sleep(POLL)
            results = read_results(plan, study)
            progress(results)
    finally:
        pool.stop()
    return results


def _has_running(study: optuna.Study) -> bool:
    return any(trial.state.name == "RUNNING" for trial in study.get_trials(deepcopy=False))


class WorkerPool:
    """The workers' processes.

    No `ProcessPoolExecutor`: it does not notice that the last process it started was killed.
    """

    def __init__(self, folder: Path, wanted: int) -> None:
        self._folder, self._wanted, self._killed = folder, wanted, 0
        self._context = multiprocessing.get_context("spawn")
        self._errors: SimpleQueue[AssayError] = self._context.SimpleQueue()
        self.alive: dict[int, SpawnProcess] = {}

    def fill(self, workers: int) -> None:
        """Start workers until there are so many."""
        for number in set(range(workers)) - set(self.alive):
            given = (self._folder, self._wanted, number, os.getpid(), self._errors)
            self.alive[number] = self._context.Process(target=run_worker, args=given)
            self.alive[number].start()

    def check(self) -> None:
        """Forget the workers that have ended.

        Raises:
            AssayError: one gave up, in its own words; or many were killed.
        """
        if not self._errors.empty():
            raise self._errors.get()
        for number, process in list(self.alive.items()):
            if process.exitcode is not None:
                self._killed += process.exitcode != 0
                del self.alive[number]
        if self._killed > KILLED:
            raise MachineError(
                "workers", f"{self._killed} were killed", "memory for each worker",
                "fewer --workers; dmesg names what the kernel killed",
            )  # fmt: skip

    def stop(self) -> None:
        """Kill who is left."""
        for process in self.alive.values():
            process.kill()
            process.join()
