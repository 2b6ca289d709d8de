"""The workers of a search: processes that are started, replaced where they are killed, and waited for."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import MachineError
from assay.search.progress import TrialProgress
from assay.search.results import read_results
from assay.search.space import make_sampler
from assay.search.storage import URL, grace_period, queue_killed
from assay.search.worker import GAVE_UP, has_room, run_worker

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    import optuna

    from assay.jobs.display import Display
    from assay.search.plan import StudyPlan
    from assay.search.results import StudyResults

POLL = 0.5  # seconds
KILLED = 10  # workers, and the machine is to blame


def run_workers(
    study: optuna.Study, plan: StudyPlan, root: Path, workers: int, display: Display
) -> StudyResults:  # fmt: skip
    """Run the study until it has its trials, complete or pruned; return what came of it.

    Args:
        study: Optuna's, of this plan.
        plan: the study.
        root: the repository's root, where workers work.
        workers: processes.
        display: of progress; of as many trials as are wanted, with those that ended before.

    Raises:
        AssayError: a worker gave up; its reason.
    """
    study.sampler = make_sampler(plan.study, 0)  # `has_room` asks it whether the grid is exhausted
    # Of a study in a file the caller holds the lock, and workers die with their search.
    queue_killed(study, is_alone=not os.environ.get(URL))
    wanted = display.total
    progress = TrialProgress(read_results(plan, study), workers, display)
    pool = WorkerPool(plan.folder(root), wanted)
    display.start()
    try:
        while True:
            queue_killed(study)
            pool.check()
            room = has_room(study, wanted)
            results = read_results(plan, study)  # last: a trial that has just ended is among them
            progress(results)
            if room:
                pool.fill(min(workers, wanted - results.compared))
            elif not results.running:
                return results
            elif not pool.alive:
                progress.wait(grace_period())
            time.sleep(POLL)
    finally:
        display.stop()
        pool.stop()


class WorkerPool:
    """The workers' processes.

    No `ProcessPoolExecutor`: it does not notice that the last process it started was killed.
    """

    def __init__(self, folder: Path, wanted: int) -> None:
        self._folder, self._wanted, self._killed = folder, wanted, 0
        # What killed workers leave is told to nobody: semaphores of libraries, which the kernel frees.
        os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker")
        self._context = multiprocessing.get_context("spawn")
        self.alive: dict[int, tuple[SpawnProcess, Connection]] = {}

    def fill(self, workers: int) -> None:
        """Start workers until there are so many."""
        for number in set(range(workers)) - set(self.alive):
            receiver, sender = self._context.Pipe(duplex=False)
            given = (self._folder, self._wanted, number, os.getpid(), sender)
            process = self._context.Process(target=run_worker, args=given)
            process.start()
            sender.close()
            self.alive[number] = process, receiver

    def check(self) -> None:
        """Forget the workers that have ended.

        Raises:
            AssayError: one gave up, in its own words; or many were killed.
        """
        for number, (process, receiver) in list(self.alive.items()):
            if process.exitcode == GAVE_UP:
                raise receiver.recv()
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
        for process, _ in self.alive.values():
            process.kill()
            process.join()
