"""A training that does not fit into memory: smaller batches, and as many rows a step as were asked."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from typing import Any

import torch

SAID = (  # of a RuntimeError: torch on a CPU, the kernel, CUDA, its libraries, oneDNN's convolutions
    "can't allocate memory", "cannot allocate memory", "out of memory", "alloc_failed",
    "could not create a primitive",
)  # fmt: skip


def is_out_of_memory(fault: BaseException) -> bool:
    """Return whether memory was refused: by a GPU, by numpy, or by torch's allocator on a CPU.

    The kernel refuses nobody: where it is short itself, it kills, and no process can tell why.
    """
    if isinstance(fault, MemoryError | torch.OutOfMemoryError):
        return True
    said = str(fault).lower()
    return isinstance(fault, RuntimeError | OSError) and any(text in said for text in SAID)


def with_smaller_batch(train: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the section `train` with a batch of half the rows and twice the batches a step, or None.

    A batch of an odd number is parted by its smallest divisor; one row is not parted.
    """
    batch, steps = int(train["batch_size"]), int(train.get("accumulate_grad_batches", 1))
    if batch == 1:
        return None
    parts = next(number for number in range(2, batch + 1) if batch % number == 0)
    return {**train, "batch_size": batch // parts, "accumulate_grad_batches": steps * parts}


def release_memory() -> None:
    """Give back what the failed attempt holds."""
    gc.collect()
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()
