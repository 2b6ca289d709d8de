"""How many loader processes: as asked, or by a short trial of each, told as a table."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay.learning.data import Loader
    from assay.runs.events import EventLog
    from assay.sections.machine import Workers

CANDIDATES = (4, 8, 12, 16)  # the founders'; as many as there are processors, at most
BATCHES = 50  # of each trial
FILES = 1024  # a process may have open; each batch on its way is some


def choose_num_workers(asked: Workers, make: Callable[[int], Loader], events: EventLog) -> int:
    """Return the number of worker processes, which changes no result.

    Args:
        asked: so many, or `auto`: whichever of none and the candidates brings batches fastest.
        make: returns a loader with so many workers.
        events: takes the milliseconds a batch of each.
    """
    open_files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if asked and 0 <= open_files < FILES:
        print(f"note: ulimit -n is {open_files}: with several workers, first: ulimit -n {FILES}")
    if asked != "auto":
        return asked
    cores = len(os.sched_getaffinity(0))
    counts = sorted({0, *(min(each, cores) for each in CANDIDATES)})
    took = {count: _milliseconds(make(count)) for count in counts}
    best = min(counts, key=lambda count: took[count])
    table = ", ".join(f"{count}: {took[count]:.1f}" for count in counts)
    print(f"loader workers, ms a batch: {table}; taken: {best}", flush=True)
    events.note("workers", {"ms_a_batch": {str(k): round(v, 3) for k, v in took.items()}})
    return best


def _milliseconds(loader: Loader) -> float:
    """Return the mean time of a batch after the first, which waits for the workers' start."""
    batches = iter(loader)
    next(batches)
    began, count = time.perf_counter(), 0
    for _ in islice(_endless(loader, batches), BATCHES):
        count += 1
    return (time.perf_counter() - began) / count * 1000


def _endless(loader: Loader, batches: Iterator[object]) -> Iterator[object]:
    yield from batches
    while True:
        yield from loader
