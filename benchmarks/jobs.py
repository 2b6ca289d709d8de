"""What a job costs beyond its training, and what several processes gain.

    python benchmarks/jobs.py [tiny jobs, 12]

Jobs of the toy, a network of one layer on 30 grey squares, in a folder that this script makes itself.
Beyond: of all the time of `run_jobs`, a job, what is neither `task.fit` (with its preflight) nor asking
for the rows that validate; in process by the clock of that very run, in a process of its own against
the mean of those. CPU seconds are told beside wall seconds: the latter move where a machine is shared.
A fork server has been started before it is measured; told is how long it takes, once a driver.
Equal jobs and folds train for some seconds each, by as many processes as stand before them.
Goals: beyond at most 0.1 s in process, 0.3 s in processes; two processes at least 1.6 times as fast as
one on equal jobs; five folds by two near 0.6 of five in turn, the least there is, three rounds for
five; a second call at most 3 s.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.jobs_set import TOY, Silent, grid, timed  # noqa: E402

from assay.jobs import run_job as running  # noqa: E402
from assay.jobs.driver import run_jobs  # noqa: E402
from assay.jobs.executor import Executor, InProcess  # noqa: E402
from assay.jobs.job import Job  # noqa: E402
from assay.jobs.outcome import finished  # noqa: E402
from assay.jobs.processes import Processes  # noqa: E402
from assay.jobs.store import JobStore  # noqa: E402
from assay.lookup import find_task  # noqa: E402
from assay.sections.machine import Runtime  # noqa: E402

EPOCHS = 60  # of a job that is no tiny one
Make = Callable[[JobStore], Executor]


class Clock:
    """Wall and CPU seconds of this process, summed."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0

    @contextlib.contextmanager
    def runs(self) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.wall += time.perf_counter() - wall
        self.cpu += time.process_time() - cpu

    def of(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, whose time is counted."""

        def counted(*arguments: Any) -> Any:
            with self.runs():
                return call(*arguments)

        return counted


def in_process(store: JobStore) -> Executor:
    """Return the executor of this process."""
    return InProcess(partial(running.run_job, runtime=Runtime()), store)


def processes(slots: int) -> Make:
    """Return what makes an executor of so many."""
    return lambda store: Processes(timed, store, slots)


def measured(jobs: Sequence[Job], make: Make) -> tuple[Clock, JobStore]:
    """Return what it takes to have jobs done, in a store of their own, and the store."""
    store, clock = JobStore(Path.cwd(), Path(tempfile.mkdtemp(dir=Path.cwd()))), Clock()
    executor = make(store)
    with clock.runs(), quiet():
        for outcome in run_jobs(jobs, executor, store, Silent()):
            finished(outcome)
    return clock, store


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Let trainings print nowhere."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123
        yield


def beyond(count: int) -> None:
    """Tell what a tiny job costs besides its training."""
    *jobs, first = grid(count + 1)
    measured([first], in_process)  # what is imported late
    task, own = find_task(TOY), Clock()
    fit = mock.patch.object(type(task), "fit", own.of(type(task).fit))
    said = own.of(running.write_out_of_fold)
    with fit, mock.patch.object(running, "write_out_of_fold", said):
        whole, store = measured(jobs, in_process)
    began = time.perf_counter()
    measured(jobs[:1], processes(1))
    print(
        f"{count} tiny jobs: {own.wall / count:.3f} s of training each ({own.cpu / count:.3f} CPU)"
    )
    print(f"  beyond, in process    {(whole.wall - own.wall) / count:.3f} s a job,"
          f" {(whole.cpu - own.cpu) / count:.3f} CPU")  # fmt: skip
    print(f"  a fork server, a job  {time.perf_counter() - began:.1f} s, once")
    alone, others = measured(jobs, processes(1))
    cpu = sum(float((others.folder(job) / "cpu").read_text()) for job in jobs)
    print(f"  beyond, in processes  {(alone.wall - own.wall) / count:.3f} s a job,"
          f" {(cpu - own.cpu + alone.cpu) / count:.3f} CPU")  # fmt: skip
    again = Clock()
    with again.runs():
        run_jobs(jobs, Processes(timed, store, 2), store, Silent())
    print(f"  a second call         {again.wall * 1000:.0f} ms, {count} jobs")


def by_ray(count: int) -> None:
    """Tell what a tiny job costs on a Ray of this machine, beyond the first two."""
    if not find_spec("ray"):
        print("Ray: not installed (uv pip install -e '.[ray]')")
        return
    from assay.jobs.ray_cluster import RayCluster

    def make(store: JobStore) -> Executor:
        began = time.perf_counter()
        cluster = RayCluster(partial(running.run_job, runtime=Runtime()), store)
        print(f"Ray of this machine: {time.perf_counter() - began:.1f} s until it is there")
        return cluster

    few, many = (measured(grid(n, root=Path.cwd()), make)[0].wall for n in (2, 2 + count))
    print(f"  2 tiny jobs {few:.1f} s, {2 + count} {many:.1f} s: {(many - few) / count:.3f} s each more,"
          f" on {os.cpu_count()} cores")  # fmt: skip


def gains() -> None:
    """Tell what a second process gains."""
    equal, folds = grid(12, EPOCHS), grid(5, EPOCHS)
    one, two = (measured(equal, processes(slots))[0].wall for slots in (1, 2))
    print(f"12 equal jobs: one process {one:.1f} s, two {two:.1f} s: {one / two:.2f} times as fast")
    turn, both = (measured(folds, make)[0].wall for make in (in_process, processes(2)))
    print(f"5 folds: in turn {turn:.1f} s, by two processes {both:.1f} s: {both / turn:.2f} of it")


def main() -> None:
    """Make the folder; measure there, with a package that has the toy in it."""
    import assay.systems

    assay.systems.__path__.append(str(ROOT / "examples"))  # the toy
    from tests.studies import make_root

    with tempfile.TemporaryDirectory() as place:
        root = make_root(Path(place))
        command = [sys.executable, __file__, *sys.argv[1:]]
        env = {**os.environ, "PYTHONPATH": str(root / "src"), "ASSAY_MEASURED": place}
        subprocess.run(command, cwd=root, env=env, check=True)


if __name__ == "__main__":
    if "ASSAY_MEASURED" in os.environ:
        beyond(*map(int, sys.argv[1:2] or [12]))
        gains()
        by_ray(*map(int, sys.argv[1:2] or [12]))
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    else:
        main()
