"""A process that dies with the one that started it; standard library only."""

from __future__ import annotations

import ctypes
import os
import platform
import signal

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent() -> None:
    """Let the kernel kill this process when its parent dies, however that comes about.

    Killing `dvc` alone would leave its stage running, which would write over the next run's output.
    macOS has no such call; there the lock alone keeps two stages apart.
    """
    if platform.system() != "Linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # died before the call
        raise SystemExit(1)
