"""Lock entries that were parsed once, kept below `.assay/history`: by content, so they are never stale.

One file of JSON lines, which every process appends to by one system call. A line that a power cut tore,
or that somebody else wrote, is passed over, and what it held is parsed again. Two processes at once may
write the same line twice, to no harm. The format's number is in the file's name: another format is
another file.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from assay.runs.places import HISTORY
from assay.tracking.lock_text import LockEntry

FILE = "locks-1.jsonl"


class LockPart(msgspec.Struct, frozen=True, array_like=True, tag="part"):
    """One stage's part of a lock, by its digest; or a file of the run cache, by its name there."""

    key: str
    entry: LockEntry


class Lock(msgspec.Struct, frozen=True, array_like=True, tag="lock"):
    """One `dvc.lock`, by its git blob id: the keys of its parts in order, or why it has none."""

    blob: str
    parts: list[str]
    fault: str = ""


Line = LockPart | Lock


class Kept:
    """What is kept in one repository.

    Args:
        root: the repository's root.
    """

    def __init__(self, root: Path) -> None:
        self.path = root / HISTORY / FILE
        self.entries: dict[str, LockEntry] = {}
        self.locks: dict[str, Lock] = {}
        self._new: list[Line] = []
        read = msgspec.json.Decoder(Line).decode
        content = b""
        with suppress(OSError):
            content = self.path.read_bytes()
        for line in content.split(b"\n"):
            with suppress(msgspec.DecodeError, UnicodeDecodeError):
                self._take(read(line))

    def add(self, line: Line) -> None:
        """Keep one more from now on; on the disk once it is saved."""
        self._take(line)
        self._new.append(line)

    def save(self) -> None:
        """Append what is new; a checkout that cannot be written to goes without."""
        lines = b"".join(msgspec.json.encode(line) + b"\n" for line in self._new)
        self._new = []
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(descriptor, b"\n" + lines if lines else b"")  # a torn line ends here
            finally:
                os.close(descriptor)

    def _take(self, line: Line) -> None:
        if isinstance(line, LockPart):
            self.entries[line.key] = line.entry
        else:
            self.locks[line.blob] = line
