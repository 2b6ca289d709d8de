"""Files of JSON lines that are appended to: what a power cut spoils costs its own line and no other."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ZEROS, CUT_OFF = "zeros", "cut off"


@dataclass(frozen=True)
class Line:
    """One line: what it says, or what became of it.

    Attributes:
        number: counted from 1.
        content: the object, None where there is none.
        fault: `ZEROS`, `CUT_OFF`, or nothing.
        text: as it stands.
    """

    number: int
    content: Mapping[str, Any] | None
    fault: str
    text: str


def append_line(path: Path, content: Mapping[str, Any]) -> None:
    """Append a line by one system call, so that a kill tears none; after a torn one it begins anew."""
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        size = os.fstat(descriptor).st_size
        is_torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        os.write(descriptor, ("\n" * is_torn + json.dumps(content) + "\n").encode())
    finally:
        os.close(descriptor)


def read_lines(path: Path) -> list[Line]:
    """Return every line of a file, none where it is not there; blank ones are left out."""
    found = []
    raw = path.read_bytes() if path.exists() else b""
    for number, line in enumerate(raw.split(b"\n"), start=1):
        said = line.strip(b"\0 \r\t")
        if said or b"\0" in line:
            found.append(_read(number, said.decode(errors="replace")))
    return found


def _read(number: int, text: str) -> Line:
    if not text:
        return Line(number, None, ZEROS, "")
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if isinstance(content, dict):
        return Line(number, content, "", text)
    return Line(number, None, CUT_OFF, text)
