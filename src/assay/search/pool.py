"""The workers of a search: started, replaced where they are killed, and waited for."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import AssayError, MachineError
from assay.search.objective import TAKEN_FOR_DEAD
from assay.search.progress import Progress
from assay.search.results import read_results
from assay.search.space import make_sampler
from assay.search.storage import grace_period
from assay.search.worker import has_room

if TYPE_CHECKING:
    import optuna

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
    import optuna

    study.sampler = make_sampler(plan.study, 0)  # `has_room` asks it whether the grid is exhausted
    results = read_results(plan, study)
    progress = Progress(results, wanted, workers, say)
    pool = WorkerPool(plan.folder(root), root, wanted)
    try:
        while has_room(study, wanted) or _runs(study):
            optuna.storages.fail_stale_trials(study)
            pool.check()
            if has_room(study, wanted):
                pool.fill(min(workers, wanted - results.compared))
            elif not pool.alive and _runs(study):
                progress.wait(grace_period())
            time.sleep(POLL)
            results = read_results(plan, study)
            progress(results)
    finally:
        pool.stop()
    return results


def _runs(study: optuna.Study) -> bool:
    return any(trial.state.name == "RUNNING" for trial in study.get_trials(deepcopy=False))


class WorkerPool:
    """The workers' processes."""

    def __init__(self, folder: Path, root: Path, wanted: int) -> None:
        self.folder, self.root, self.wanted = folder, root, wanted
        self.alive: dict[int, subprocess.Popen[bytes]] = {}
        self.killed = 0

    def fill(self, workers: int) -> None:
        """Start workers until there are so many."""
        for number in range(workers):
            if number not in self.alive:
                self.alive[number] = self._start(number)

    def check(self) -> None:
        """Forget the workers that have ended.

        Raises:
            AssayError: one gave up, in its own words; or many were killed.
        """
        for number, process in list(self.alive.items()):
            code = process.poll()
            if code is None:
                continue
            del self.alive[number]
            if code < 0:
                self._count_killed(number, -code)
            elif code not in (0, TAKEN_FOR_DEAD):
                raise self._refusal(number)

    def stop(self) -> None:
        """Kill who is left."""
        for process in self.alive.values():
            process.kill()
            process.wait()

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        """Start a worker; it dies with this process, however that comes about."""
        asked = [str(self.folder), str(self.wanted), str(number), str(os.getpid())]
        # A stage's own guard: the code of this checkout, whichever is installed.
        package = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH", "")]))
        with self._log(number).open("ab") as stream:
            return subprocess.Popen(
                [sys.executable, "-m", "assay.search.worker", *asked],
                cwd=self.root, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream,
                env={**os.environ, "PYTHONPATH": path},
                start_new_session=True,  # Ctrl-C is for the search; they die with it
            )  # fmt: skip

    def _count_killed(self, number: int, signal: int) -> None:
        self.killed += 1
        if self.killed > KILLED:
            raise MachineError(
                f"worker {number}", f"killed by signal {signal}, as {KILLED} before it",
                "memory for each worker", "fewer --workers; dmesg names what the kernel killed",
            )  # fmt: skip

    def _refusal(self, number: int) -> AssayError:
        """Return a worker's own words."""
        path = self._log(number)
        text = path.read_text(encoding="utf-8", errors="replace")
        said = (
            text[text.rfind("error: ") :]
            if "error: " in text
            else "\n".join(text.splitlines()[-8:])
        )
        return AssayError(
            f"worker {number}", said.strip().removeprefix("error: "), mend=f"see {path}"
        )

    def _log(self, number: int) -> Path:
        return self.folder / f"worker-{number}.log"
