"""What feeds a training: the same batches with worker processes as without, threads as they are set."""

from __future__ import annotations

import multiprocessing

import numpy as np
import pytest
import torch
from tests.plans import IMAGES, LEVELS

from assay.learning.data import plain_loader, train_loader
from assay.learning.determinism import settle
from assay.learning.plan import Set

ROWS = Set(IMAGES, LEVELS.astype(np.float32)[:, None])


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
    settle(threads)
    assert torch.get_num_threads() == threads
    told = torch.__config__.parallel_info()
    for library in ("at::get_num_threads()", "omp_get_max_threads()", "mkl_get_max_threads()"):
        assert f"{library} : {threads}\n" in told
