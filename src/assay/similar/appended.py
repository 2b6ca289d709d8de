"""A file of records of one type, appended to, mapped to be read; safe with `kill -9` and two writers.

The file's own length says how much of it is whole: half a record at its end, of a killed run, is cut off
by the next who writes. Who writes holds a lock, and what was written is on the disk before it is freed.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Records = npt.NDArray[np.void]


class Appended:
    """The records of one file.

    Args:
        path: of the file; it need not be there.
        kind: of a record.
    """

    def __init__(self, path: Path, kind: np.dtype[Any]) -> None:
        self.path, self.kind = path, kind

    def __len__(self) -> int:
        """Return the number of whole records."""
        return self.path.stat().st_size // self.kind.itemsize if self.path.exists() else 0

    def read(self) -> Records:
        """Return a memory map of all whole records."""
        count = len(self)
        if not count:  # numpy cannot map an empty file
            return np.empty(0, self.kind)
        return np.memmap(self.path, self.kind, "r", shape=(count,))

    def append(self, chosen: Callable[[Records], Records]) -> int:
        """Append what `chosen` returns, once it has been shown what is there; return how many are now."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)  # the kernel frees it when its holder dies
            stream.truncate(len(self) * self.kind.itemsize)
            new = chosen(self.read())
            stream.write(np.ascontiguousarray(new).view(np.uint8).data)
            stream.flush()
            os.fsync(stream.fileno())
            return len(self)
