"""A process that may have no more memory: batches are parted until they fit, and the result says so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.jobs_set import wide
from tests.studies import ROOT, make_root

from assay.jobs.store import JobStore
from assay.learning.memory import is_out_of_memory, with_smaller_batch
from assay.runs.files import read_json
from assay.runs.record import HISTORY, OUT_OF_FOLD, RECORD, WEIGHTS, smaller_batches

# First what fits is trained, which measures what it needs; then, with less than half more, what does not.
LIMITED = """
import re, resource, sys
from pathlib import Path
import numpy, torch
from tests.jobs_set import wide
from assay.errors import MachineError
from assay.jobs.run_job import run_job
from assay.jobs.store import JobStore
from assay.learning.memory import is_out_of_memory
from assay.sections.machine import Runtime

def mebibytes(name):
    return int(re.search(rf"{name}:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) >> 10

def limit(size):
    resource.setrlimit(resource.RLIMIT_AS, (size << 20, resource.RLIM_INFINITY))

store = JobStore(Path.cwd())
run_job(wide(8, channels=4), store, Runtime())  # what is imported and kept, once
before = mebibytes("VmSize")
run_job(wide(12, 2), store, Runtime())
limit(before + (mebibytes("VmPeak") - before) * 10 // 7)
run_job(wide(24), store, Runtime())
limit(mebibytes("VmSize") + 50)
for allocate in (lambda: torch.zeros(2**26), lambda: numpy.ones(2**26)):
    try:
        allocate()
    except Exception as fault:
        assert is_out_of_memory(fault), fault
        print("refused", type(fault).__name__)
try:
    run_job(wide(25, channels=2**17), store, Runtime())
except MachineError as fault:
    print(fault.render())
"""


pytestmark = pytest.mark.train_all  # imports and trainings of a process of its own


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return where jobs were trained in little memory, and what was printed."""
    root = make_root(tmp_path_factory.mktemp("memory"))
    env = {**os.environ, "PYTHONPATH": f"{root / 'src'}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        [sys.executable, "-c", LIMITED], cwd=root, env=env, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    return root, done.stdout


def test_half_a_batch_is_trained_as_if_it_had_been_declared(limited: tuple[Path, str]) -> None:
    root, said = limited
    store = JobStore(root)
    asked, declared = store.result(wide(24)), store.result(wide(12, 2))
    assert asked
    assert declared
    for name in (WEIGHTS, HISTORY, OUT_OF_FOLD):
        assert (asked / name).read_bytes() == (declared / name).read_bytes()
    record = read_json(asked / RECORD)
    assert record.pop("out_of_memory") == {"accumulate_grad_batches": 2, "batch_size": 12}
    assert record["params"]["toy-level"]["train"]["batch_size"] == 24
    others: dict[str, Any] = read_json(declared / RECORD)
    assert {**others, "key": "", "params": ""} == {**record, "key": "", "params": ""}
    assert "out of memory: the batch is parted, 12 × 2 rows a step" in said


def test_what_refuses_memory_is_known(limited: tuple[Path, str]) -> None:
    """Torch on a CPU and numpy, really; CUDA's own and its libraries' by their words."""
    assert "refused RuntimeError" in limited[1]
    assert "refused MemoryError" in limited[1]
    for text in (
        "CUDA error: out of memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling",
    ):
        assert is_out_of_memory(RuntimeError(text))
    assert not is_out_of_memory(RuntimeError("shape '[3]' is invalid"))


def test_where_one_row_does_not_fit_it_is_said(limited: tuple[Path, str]) -> None:
    """After 25, 5 and 1 rows a batch."""
    assert "the batch is parted, 1 × 25 rows a step" in limited[1]
    assert "error: train@toy-level, fold 0: out of memory with one row a batch: " in limited[1]
    assert "mend: set a smaller network (toy-level.model)" in limited[1]


def test_a_step_keeps_its_rows() -> None:
    train: dict[str, Any] | None = {"batch_size": 36, "accumulate_grad_batches": 2}
    found = []
    while train:
        found.append(tuple(train.values()))
        train = with_smaller_batch(train)
    assert found == [(36, 2), (18, 4), (9, 8), (3, 24), (1, 72)]


def test_a_reader_is_told() -> None:
    parted = {"out_of_memory": {"batch_size": 4, "accumulate_grad_batches": 2}}
    assert smaller_batches({"key": "1"}) == ""
    assert smaller_batches(parted) == "out of memory: trained in batches of 4, 2 a step"
    folds = {"folds": {"0": {}, "1": parted}}
    assert smaller_batches(folds) == "out of memory: trained fold 1 in batches of 4, 2 a step"
    jobs = [{"name": "a", "fold": fold, **parted} for fold in range(8)]
    assert smaller_batches({"jobs": [{"name": "b", "fold": 0}]}) == ""
    told = smaller_batches({"jobs": jobs})
    assert told.startswith("out of memory: trained a fold 0 in batches of 4, 2 a step, a fold 1 in")
    assert told.endswith("a fold 4 in batches of 4, 2 a step, and 3 more")
