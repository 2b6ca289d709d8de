"""The fusion's grid in processes: the same bytes, and each training once, whoever is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from tests.fusion_set import ROOT, TASK, make_root, run_grid, section_of

from assay.jobs.store import JobStore
from assay.runs.files import read_json
from assay.runs.places import EVENTS
from assay.runs.record import (
    HISTORY,
    OUT_OF_FOLD,
    RECORD,
    WEIGHTS,
)  # fmt: skip

GRID = section_of(nail=["test_resnet", "test_byobnet"], conjunctiva=["test_resnet"])
FILES = (RECORD, WEIGHTS, HISTORY, OUT_OF_FOLD)
DRIVER = """
import sys
from pathlib import Path
from tests.fusion_set import run_grid
from tests.unit.test_fusion_processes import GRID
run_grid(Path.cwd(), GRID, n_jobs=int(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a root in which a grid of eight configurations was trained; to be read only."""
    root = make_root(tmp_path_factory.mktemp("grid") / "root")
    run_grid(root, GRID)
    return root


def files_of(root: Path) -> dict[str, bytes]:
    return {name: (root / "models" / TASK / name).read_bytes() for name in FILES}


def noted(root: Path) -> dict[str, Counter[str]]:
    """Return how often each job came to the end of an epoch, and of its training."""
    return {
        path.stem: Counter(json.loads(line)["event"] for line in path.read_text().splitlines())
        for path in (root / EVENTS).rglob("*.jsonl")
    }


def started(root: Path, n_jobs: int) -> subprocess.Popen[bytes]:
    with (root / "driver.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-c", DRIVER, str(n_jobs)], cwd=root, stdout=log, stderr=log,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        )  # fmt: skip


def ended(process: subprocess.Popen[bytes], root: Path) -> None:
    assert process.wait(timeout=300) == 0, (root / "driver.log").read_text()[-3000:]


@pytest.mark.train_all
def test_processes_give_the_bytes_of_this_one(trained: Path, tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    ended(started(root, 2), root)
    assert files_of(root) == files_of(trained)


@pytest.mark.kill
def test_two_drivers_that_are_killed_train_each_once(trained: Path, tmp_path: Path) -> None:
    """Each is killed twice, with its workers; a job is done again only where a kill hit it."""
    root = make_root(tmp_path / "root")
    drivers, chance = [started(root, 1), started(root, 2)], np.random.default_rng(1)
    store = JobStore(root)
    for kill in range(4):
        end = time.monotonic() + 240
        while sum(store.result(job) is not None for job in store.jobs()) < 4 * (kill + 1):
            assert time.monotonic() < end, (root / "driver.log").read_text()[-3000:]
            time.sleep(0.05)
        time.sleep(float(chance.uniform(0, 0.4)))
        victim = drivers[kill % 2]
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        drivers[kill % 2] = started(root, 1 + kill % 2)
    for driver in drivers:
        ended(driver, root)
    assert files_of(root) == files_of(trained)
    told = noted(root)
    assert len(told) == len(read_json(trained / "models" / TASK / RECORD)["jobs"])
    assert sum(events["trained"] - 1 for events in told.values()) <= 2 * 4
