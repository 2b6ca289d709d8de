"""The cores that this process may use; standard library only."""

from __future__ import annotations

import os


def available_cores() -> int:
    """Return the cores that this process may use: of a container or `taskset`, not of the machine."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
