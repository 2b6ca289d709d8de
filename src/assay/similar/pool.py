"""Work over all cores; what comes out is the same with any number of them."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

import cv2
from threadpoolctl import threadpool_limits

from assay.code.declared import heed
from assay.errors import MachineError
from assay.runs.parent import die_with_parent
from assay.similar.heap import keep_freed

Task = TypeVar("Task")
Result = TypeVar("Result")

WORTH = 2  # tasks of a process below which it is not worth its start, 0.6 s with its visual words
_work: list[Callable[[Any], Any]] = []  # of this process, which it is told once


def over_cores(
    work: Callable[[Task], Result], tasks: Sequence[Task], workers: int
) -> Iterator[Result]:
    """Yield what `work` makes of each task, in their order.

    Args:
        work: can be pickled; sent to each process once.
        tasks: can be pickled.
        workers: processes at most; few tasks are done here.

    Raises:
        MachineError: a process was killed.
    """
    count = min(workers, len(tasks) // WORTH)
    if count < 2:
        keep_freed()
        # BLAS threads, waiting for each other at small matrices, took ten times as long.
        with threadpool_limits(1, "blas"):
            yield from map(work, tasks)
        return
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    with ProcessPoolExecutor(count, context, initializer=_settle, initargs=(work,)) as pool:
        try:
            yield from pool.map(_do, tasks)
        except BrokenProcessPool:
            raise MachineError(
                "similar", "one of its processes was killed: by a person, or for want of memory",
                f"{count} processes that live to the end",
                "the same command goes on where it stopped (with one core: `taskset -c 0` before it)",
            ) from None  # fmt: skip
        finally:
            pool.shutdown(cancel_futures=True)


def _settle(work: Callable[[Any], Any]) -> None:
    """Make a process die with the search, and use one thread."""
    die_with_parent()
    keep_freed()
    threadpool_limits(1)
    cv2.setNumThreads(1)
    _work.append(work)


def _do(task: Any) -> Any:
    heed()
    return _work[-1](task)
