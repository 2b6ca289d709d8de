"""A grid of tiny jobs of the toy, and a driver of them in a process of its own; no DVC."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from assay.errors import AssayError
from assay.jobs.job import Job, jobs_of
from assay.jobs.store import JobStore
from assay.manifest.layout import Layout
from assay.params import read_params
from assay.runs.events import events_path
from assay.runs.files import file_digest
from assay.sections.machine import Runtime
from assay.values import on_machine

if TYPE_CHECKING:
    from assay.jobs.executor import Ended
    from assay.jobs.outcome import Outcome

ROOT = Path(__file__).parents[1]
TOY = "toy-level"
# Arguments: executor, slots, then how many jobs of the grid, and passes of each.
DRIVER = """
import sys
import time
from functools import partial
from pathlib import Path
from tests.jobs_set import Silent, grid
from assay.jobs.driver import run_jobs
from assay.jobs.executor import InProcess
from assay.jobs.run_job import run_job
from assay.jobs.store import JobStore
from assay.sections.machine import Runtime
kind, slots, count, epochs = sys.argv[1], *map(int, sys.argv[2:])
store, work = JobStore(Path.cwd()), partial(run_job, runtime=Runtime())
if kind == "processes":
    from assay.jobs.processes import Processes
    executor = Processes(work, store, slots)
elif kind == "ray":
    from assay.jobs.ray_cluster import RayCluster
    executor = RayCluster(work, store)
else:
    executor = InProcess(work, store)
for outcome in run_jobs(grid(count, epochs, Path.cwd()), executor, store, Silent()):
    if outcome.fault:
        raise outcome.fault
"""


class Silent:
    """A progress that says nothing, and keeps what is done again; results need be no models."""

    def __init__(self) -> None:
        self.lost: list[Ended] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def show(self) -> None: ...

    def begin(self, job: Job) -> None: ...

    def elsewhere(self, job: Job, holder: str) -> None: ...

    def again(self, ended: Ended) -> None:
        self.lost.append(ended)

    def end(self, outcome: Outcome) -> None: ...


def grid(count: int, epochs: int = 1, root: Path | None = None, **train: Any) -> list[Job]:
    """Return so many jobs of `toy-level`, of which no two are equal.

    Args:
        count: of the jobs.
        epochs: of each.
        root: of the files that a job names, and which travel to where it is done.
        train: what is else in `train`.
    """
    section = read_params(ROOT / "examples" / "toy" / "params.yaml")[TOY]
    section = on_machine(section, read_params(ROOT / "params.yaml"))
    sections = [
        {**section, "train": {**section["train"], "epochs": epochs, "seed": number, **train}}
        for number in range(count)
    ]
    layout = Layout("toy")
    files = (layout.trainval, layout.trainval_pixels, Path(f"code/toy/train@{TOY}.json"))
    inputs = {str(each): file_digest(root / each) if root else "1" for each in files}
    return [job for each in sections for job in jobs_of(TOY, each, inputs, [0])]


def wide(batch: int, steps: int = 1, channels: int = 12288) -> Job:
    """Return a job that needs some hundred MiB, by the rows of a batch."""
    [job] = grid(1, batch_size=batch, accumulate_grad_batches=steps)
    params = {**job.params[TOY], "model": {"channels": channels}}
    return replace(job, params={TOY: params})


def start_driver(
    root: Path, count: int, epochs: int = 1, kind: str = "processes", slots: int = 2, **more: str
) -> subprocess.Popen[bytes]:
    """Start a driver of the grid in a folder that `studies.make_root` made; its log lies beside it."""
    command = [sys.executable, "-c", DRIVER, kind, str(slots), str(count), str(epochs)]
    path = f"{root / 'src'}{os.pathsep}{ROOT}"
    with (root / "driver.log").open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=root,
            env={**os.environ, "PYTHONPATH": path, **more},
            stdout=log,
            stderr=log,
        )


class Nobody:
    """An executor that nothing is asked of."""

    slots = 1

    def start(self, job: Job) -> None:
        raise AssertionError(f"{job.key} is done again")

    def ended(self, timeout: float) -> list[Ended]:
        return []

    def stop(self) -> None: ...


def bytes_of_results(root: Path) -> dict[str, dict[str, bytes]]:
    """Return the files of every result, by key and name."""
    store = JobStore(root)
    found = {job.key: store.result(job) for job in store.jobs()}
    return {
        key: {file.name: file.read_bytes() for file in sorted(folder.iterdir())}
        for key, folder in found.items() if folder
    }  # fmt: skip


def noted(root: Path, job: Job) -> Counter[str]:
    """Return how often a job came to the end of an epoch, and of its training."""
    path = events_path(root, job.stage, job.key)
    events = [json.loads(line)["event"] for line in path.read_text().splitlines()]
    return Counter(event for event in events if event in ("epoch", "trained"))


def put(job: Job, store: JobStore) -> None:
    """Put a result, without training."""
    print("put")
    half = store.half(job)
    half.mkdir(parents=True, exist_ok=True)
    (half / "weights").write_text(job.key)
    store.put(job, half)


def broken(job: Job, store: JobStore) -> None:
    """Fail without words."""
    raise ValueError("by chance")


def refused(job: Job, store: JobStore) -> None:
    """Fail in words."""
    raise AssayError("the data", "found nothing")


def killed(job: Job, store: JobStore) -> None:
    """Be killed."""
    os.kill(os.getpid(), signal.SIGKILL)


def timed(job: Job, store: JobStore) -> None:
    """Train, and leave the CPU seconds that this process has taken so far."""
    from assay.jobs.run_job import run_job

    run_job(job, store, Runtime())
    (store.folder(job) / "cpu").write_text(str(time.process_time()))
