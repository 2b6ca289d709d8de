"""One process a workspace and stage; the kernel frees the lock when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

# s between two looks. Ctrl-C ends a sleep, but no flock that waits: polars (2.1.0), once imported, lets
# the kernel restart what a signal interrupts, and Python is never told.
TICK = 0.1


@contextmanager
def held(path: Path, waiting: str) -> Iterator[None]:
    """Hold an exclusive lock on `path`; when another process holds it, say `waiting` and wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as stream:
        while not taken(stream):
            if waiting:
                stream.seek(0)
                holder = stream.read().strip() or "unknown"
                print(f"{waiting} (process {holder} holds it)", flush=True)
            waiting = ""
            time.sleep(TICK)
        yield


def taken(stream: IO[str]) -> bool:
    """Take the lock of an open file, and write down who has it; False where another process holds it."""
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    stream.truncate(0)
    stream.write(str(os.getpid()))
    stream.flush()
    return True


def holder_of(lock: Path) -> str:
    """Return the process that holds a lock, or an empty text."""
    if not lock.exists():
        return ""
    with lock.open("r") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return stream.read().strip() or "unknown"
    return ""
