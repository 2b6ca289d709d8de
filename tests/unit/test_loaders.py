"""What feeds a training: the same batches with worker processes as without, the last one, threads."""

from __future__ import annotations

import csv
import multiprocessing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.plans import COUNT, IMAGES, LEVELS
from tests.unit.test_schedules import awkward, linear, run_in

from assay.errors import AssayError
from assay.learning.data import plain_loader, train_loader
from assay.learning.determinism import set_determinism
from assay.learning.fit import fit
from assay.learning.training_spec import TrainData
from assay.lookup import find_task
from assay.params import read_params
from assay.runs.record import HISTORY, WEIGHTS
from assay.values import typed

ROOT = Path(__file__).parents[2]
ROWS = TrainData(IMAGES, LEVELS.astype(np.float32)[:, None])


def test_workers_bring_the_same_batches_and_stay() -> None:
    own, others = (train_loader(ROWS, 5, seed=1, workers=workers) for workers in (0, 2))
    seen = []
    for epoch in range(2):
        for loader in (own, others):
            loader.sampler.set_epoch(epoch)
        pairs = list(zip(own, others, strict=True))
        assert all(torch.equal(one, two) for a, b in pairs for one, two in zip(a, b, strict=True))
        seen.append({child.pid for child in multiprocessing.active_children()})
    assert len(seen[0]) == 2
    assert seen[0] == seen[1]  # the second epoch starts none


def test_prefetch_is_of_workers_alone_and_changes_no_batch() -> None:
    alone = train_loader(ROWS, 5, 1, 0, prefetch=6)
    assert alone.prefetch_factor is None
    loader = train_loader(ROWS, 5, 1, 2, prefetch=6)
    assert loader.prefetch_factor == 6
    pairs = zip(alone, loader, strict=True)
    assert all(torch.equal(one, two) for a, b in pairs for one, two in zip(a, b, strict=True))


@pytest.mark.parametrize("workers", [0, 2])
def test_the_last_batch_may_be_left_out(workers: int) -> None:
    whole, cut = (train_loader(ROWS, 5, 1, workers, drop_last=drop) for drop in (False, True))
    assert [len(targets) for _, targets in whole] == [5, 5, 5, 5, 4]
    assert [len(targets) for _, targets in cut] == [5, 5, 5, 5]
    assert len(plain_loader(ROWS, 5)) == 5  # what is scored is whole


def test_without_a_batch_it_is_refused() -> None:
    with pytest.raises(AssayError, match=rf"train\.drop_last: {COUNT} rows, fewer than a batch"):
        train_loader(ROWS, COUNT + 1, 1, 0, drop_last=True)
    assert len(train_loader(ROWS, COUNT, 1, 0, drop_last=True)) == 1


def test_a_training_without_its_last_batches(tmp_path: Path) -> None:
    """24 rows in batches of 5, two a step: the second step of four has whole ones, and the rate ends."""
    found = {}
    for name, drop in (("whole", False), ("cut", True), ("four", True)):
        plan = replace(
            linear(batch_size=4 if name == "four" else 5, accumulate_grad_batches=2), drop_last=drop
        )
        run = run_in(tmp_path / name)
        fit(plan, ROWS, ROWS, run)
        with (run.folder / HISTORY).open() as stream:
            rows = list(csv.DictReader(stream))
        assert len(rows) == 2
        found[name] = (run.folder / WEIGHTS).read_bytes()
    assert found["cut"] != found["whole"]
    plan = linear(batch_size=4, accumulate_grad_batches=2)
    fit(plan, ROWS, ROWS, run_in(tmp_path / "even"))
    assert (tmp_path / "even" / "model" / "weights.safetensors").read_bytes() == found["four"]


def test_a_row_that_would_stand_alone_in_its_batch_is_left_out(tmp_path: Path) -> None:
    """Batch norm stops at one value a channel: 24 rows by 23, unless the last is left out."""
    lone = awkward(epochs=2, batch_size=COUNT - 1)
    lone.network.train()
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        lone.network(torch.zeros(1, 3, 16, 16))
    run = run_in(tmp_path)
    fit(lone, ROWS, ROWS, run)
    assert len((run.folder / HISTORY).read_text().splitlines()) == 1 + 2


@pytest.mark.parametrize("name", ["pills-classifier", "pills-segmentation"])
def test_the_pills_tasks_ask_for_it(name: str) -> None:
    content = read_params(ROOT / "params.yaml")
    kind = find_task(name).params
    train = typed(content, name, kind).train
    assert content[name]["train"].pop("drop_last") is False
    assert typed(content, name, kind).train == train  # as of an older record


def test_memory_is_pinned_where_a_gpu_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def pinned() -> list[bool]:
        return [train_loader(ROWS, 8, 1, 0).pin_memory, plain_loader(ROWS, 8).pin_memory]

    assert pinned() == [torch.cuda.is_available()] * 2
    for there in (True, False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert pinned() == [there] * 2


@pytest.mark.parametrize("threads", [2, 1])
def test_the_threads_are_as_they_are_set(threads: int) -> None:
    """Of torch, and with it of OpenMP and MKL below it."""
    set_determinism(threads)
    assert torch.get_num_threads() == threads
    told = torch.__config__.parallel_info()
    for library in ("at::get_num_threads()", "omp_get_max_threads()", "mkl_get_max_threads()"):
        assert f"{library} : {threads}\n" in told
