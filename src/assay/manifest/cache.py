"""Opened photographs, kept: in the memory of a process, or in a database that processes and runs share.

One at a time, by an environment variable; neither changes a pixel, and both are safe to lose.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from cachetools import LRUCache

from assay.errors import MachineError

if TYPE_CHECKING:
    from assay.manifest.images import Pixels

MEMORY = "ASSAY_CACHE_MB"  # of each process; the longest unused go first
LMDB = "ASSAY_CACHE_LMDB"  # a folder on a local disk
MAP = 1 << 40  # bytes of address space; the file grows as it is filled
SPARED = 0.1  # of the disk: where less is free, nothing is added
READERS = 512  # processes at once
SHAPE = np.dtype("<i4")  # height and width, before the pixels


class PixelCache(Protocol):
    """Pixels by a key that says their content and how they were opened."""

    def get(self, key: bytes) -> Pixels | None:
        """Return what is kept (h, w, 3), or None."""
        ...

    def put(self, key: bytes, pixels: Pixels) -> None:
        """Keep these, if there is room."""
        ...


def chosen_cache() -> PixelCache:
    """Return the cache that the environment asks for.

    Raises:
        MachineError: it asks for two, for one that this machine lacks, or for no number of megabytes.
    """
    megabytes, folder = os.environ.get(MEMORY, ""), os.environ.get(LMDB, "")
    if folder and megabytes:
        raise MachineError(
            f"{MEMORY}={megabytes}, {LMDB}={folder}", "two caches: each photograph would be kept twice",
            "one of them", f"unset {MEMORY}: the system keeps what is read of the database in memory",
        )  # fmt: skip
    if not (megabytes or "0").isdecimal():
        raise MachineError(
            f"{MEMORY}={megabytes}", "no number", "megabytes, whole", f"export {MEMORY}=8000"
        )
    return Disk(Path(folder)) if folder else Memory(int(megabytes or 0) * 1_000_000)


class Memory:
    """The last used, in the memory of this process, up to so many bytes."""

    def __init__(self, most: int) -> None:
        self.held: LRUCache[bytes, Pixels] = LRUCache(most, lambda pixels: pixels.nbytes)

    def get(self, key: bytes) -> Pixels | None:
        return self.held.get(key)

    def put(self, key: bytes, pixels: Pixels) -> None:
        if pixels.nbytes <= self.held.maxsize:
            self.held[key] = pixels


class Disk:
    """Raw pixels in an LMDB, which all processes of this machine share, and later runs.

    Nothing is ever dropped: when it is full, what is there stays and no more is added. Each photograph is
    flushed: what a kill or a power cut leaves is whole.

    Args:
        folder: where it lies, absolute; made where it is not there.

    Raises:
        MachineError: the package is absent, or the folder cannot be used, or is no whole database.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self._full = folder, False
        if not folder.is_absolute():
            raise MachineError(
                f"{LMDB}={folder}", "a relative folder", "an absolute one: experiments run elsewhere",
                f"export {LMDB}={folder.absolute()}",
            )  # fmt: skip
        self._begin(write=False).abort()

    def get(self, key: bytes) -> Pixels | None:
        """Return what is kept (h, w, 3), or None.

        Raises:
            MachineError: the database is damaged.
        """
        try:
            with self._begin(write=False) as reading:
                kept: bytes | None = reading.get(key)
        except _package().Error as fault:
            raise _damaged(self.folder, str(fault)) from None
        if kept is None:
            return None
        shape = np.frombuffer(kept, SHAPE, 2)
        return np.frombuffer(kept, np.uint8, offset=shape.nbytes).reshape(*shape, 3)

    def put(self, key: bytes, pixels: Pixels) -> None:
        """Keep these; where the disk or the map is full, say so once."""
        if self._full:
            return
        disk = shutil.disk_usage(self.folder)
        shape = np.array(pixels.shape[:2], SHAPE).tobytes()
        try:
            self._full = disk.free < SPARED * disk.total
            if not self._full:
                with self._begin(write=True) as writing:
                    writing.put(key, shape + pixels.tobytes())
        except (_package().MapFullError, _package().DiskError):
            self._full = True
        except _package().Error as fault:
            raise _damaged(self.folder, str(fault)) from None
        if self._full:
            print(f"{LMDB}: {self.folder} is full: no more photographs are added", flush=True)

    def _begin(self, write: bool) -> Any:
        return _opened(self.folder).begin(write=write)


_handles: dict[Path, Any] = {}  # LMDB lets a process open a folder once


def _opened(folder: Path) -> Any:
    if folder not in _handles:
        _handles[folder] = _open(folder)
    return _handles[folder]


def _close() -> None:
    """Close all; who asks again opens again."""
    while _handles:
        _handles.popitem()[1].close()


os.register_at_fork(before=_close)  # a handle does not outlive a fork, on either side


def _open(folder: Path) -> Any:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        found = _package().open(
            str(folder), map_size=MAP, max_readers=READERS, metasync=False, readahead=False
        )
    except (OSError, _package().Error) as fault:
        raise _damaged(folder, str(fault)) from None
    found.reader_check()  # places of killed readers
    # Pages beyond the end of a file that was cut off would end the process by a signal.
    needed = (found.info()["last_pgno"] + 1) * found.stat()["psize"]
    if (folder / "data.mdb").stat().st_size < needed:
        found.close()
        raise _damaged(folder, f"cut off: less than {needed} bytes")
    return found


def _damaged(folder: Path, found: str) -> MachineError:
    return MachineError(
        f"{LMDB}={folder}", found, "a folder that can be written, with a whole LMDB or none",
        f"rm -r {folder} (photographs are opened and kept anew), or another folder",
    )  # fmt: skip


def _package() -> Any:
    try:
        import lmdb
    except ImportError:
        raise MachineError(
            LMDB, "the package lmdb is not installed", mend="uv pip install 'assay[lmdb]'"
        ) from None
    return lmdb
