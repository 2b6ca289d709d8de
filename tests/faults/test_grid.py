"""A grid under two of its verbs, on ranges that overlap, and its stage; all of them are killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.grid_set import FOLDS, FUSION, STAGE, VERB, inputs, make_grid_root, section, start
from tests.jobs_set import Nobody, Silent, bytes_of_results, noted

from assay.jobs.driver import run_jobs
from assay.jobs.grid import grid_jobs
from assay.jobs.job import Job
from assay.jobs.store import JobStore
from assay.lookup import find_task

pytestmark = pytest.mark.kill
GRID: dict[str, Any] = {"model.phases": [1], "train.epochs": 4}  # 4 pairs, 2 versions, 2 folds
ASKED = ((VERB, "--end", "3", "--n-jobs", "2"), (VERB, "--start", "1"), (STAGE,))
SECONDS = 240


def jobs_in(root: Path) -> list[Job]:
    """Return the jobs of the stage."""
    with contextlib.chdir(root):
        return list(
            grid_jobs(find_task(FUSION), section(root), inputs(root), range(FOLDS)).values()
        )


def wait_for_results(store: JobStore, jobs: list[Job], count: int) -> None:
    end = time.monotonic() + SECONDS
    while sum(store.result(job) is not None for job in jobs) < count:
        assert time.monotonic() < end, (store.root / "log").read_text()[-3000:]
        time.sleep(0.02)


def kill(process: subprocess.Popen[bytes], store: JobStore, jobs: list[Job]) -> list[str]:
    """Kill a driver, and its workers with it; return the keys of what it had claimed."""
    os.kill(process.pid, signal.SIGSTOP)
    held = [job.key for job in jobs if store.holder(job) == str(process.pid)]
    process.kill()
    assert process.wait() in (-signal.SIGKILL, 0), (store.root / "log").read_text()[-3000:]
    return held


def test_each_training_of_a_grid_is_done_once_whoever_is_killed(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    roots = [make_grid_root(tmp_path / name, **GRID) for name in ("campaign", "undisturbed")]
    jobs, store = jobs_in(roots[0]), JobStore(roots[0])
    assert len(jobs) == 16
    undisturbed = start(roots[1], STAGE)
    running = [start(roots[0], *each) for each in ASKED]
    request.addfinalizer(lambda: [each.kill() for each in (*running, undisturbed)])
    lost: Counter[str] = Counter()
    for number, done in enumerate((3, 6, 9)):
        wait_for_results(store, jobs, done)
        lost.update(kill(running[number], store, jobs))
        running[number] = start(roots[0], *ASKED[number])
    for process in (*running, undisturbed):
        assert process.wait(SECONDS) == 0, (roots[0] / "log").read_text()[-3000:]
    assert bytes_of_results(roots[0]) == bytes_of_results(roots[1])
    assert len(bytes_of_results(roots[0])) == len(jobs)
    for job in jobs:
        assert 1 <= noted(roots[0], job)["trained"] <= 1 + lost[job.key]
        assert noted(roots[1], job)["trained"] == 1
    assert all(each.folder for each in run_jobs(jobs, Nobody(), store, Silent()))
    models = [root / "models" / FUSION for root in roots]
    names = sorted(path.name for path in models[0].iterdir())
    assert "weights.safetensors" in names
    for name in names:
        assert (models[0] / name).read_bytes() == (models[1] / name).read_bytes(), name


def test_two_ranges_side_by_side_are_a_grid(tmp_path: Path) -> None:
    root = make_grid_root(tmp_path / "root", **GRID)
    jobs = jobs_in(root)
    ranges = [start(root, VERB, "--end", "2"), start(root, VERB, "--start", "2")]
    for process in ranges:
        assert process.wait(SECONDS) == 0, (root / "log").read_text()[-3000:]
    assert [noted(root, job)["trained"] for job in jobs] == [1] * len(jobs)
    assert "runs elsewhere" not in (root / "log").read_text()
