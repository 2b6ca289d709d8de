"""Writing that survives `kill -9`: aside, flushed, renamed; and the digests that DVC would give."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from assay.errors import DamagedFileError
from assay.runs.places import PRIVATE


def atomic_write(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, then rename it: readers see the old or the new whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays last: writers such as matplotlib choose the format by it.
    aside = path.with_name(f".{path.stem}.{os.getpid()}.aside{path.suffix}")
    try:
        write(aside)
        with aside.open("rb") as stream:
            os.fsync(stream.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, whole or not at all."""
    atomic_write(path, lambda aside: aside.write_text(text, encoding="utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Write JSON with sorted keys, so that equal content has equal bytes."""
    write_text(path, json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        DamagedFileError: it is none; with what brings it back.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as fault:
        raw = path.read_bytes()
        found = (
            "zero bytes" if not raw else "zeros" if not raw.strip(b"\0") else f"not JSON: {fault}"
        )
        raise DamagedFileError(str(path), found, "the JSON that was written", _back(path)) from None


def _back(path: Path) -> str:
    """Return what brings a file back: ours below `.assay` are made anew, DVC has the outputs."""
    place = shlex.quote(str(path))
    if PRIVATE.name in path.parts:
        return f"rm {place}, then the same command"
    if ".dvc" in path.parts:
        return "assay doctor --deep"
    if path.parts[-3:-2] == ("models",) or "reports" in path.parts:
        return f"dvc checkout -f {place}"
    return f"git checkout -- {place}"


def file_digest(path: Path) -> str:
    """Return the md5 that DVC records for the file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "md5").hexdigest()


def content_digest(content: Any, length: int = 16) -> str:
    """Return a short digest of anything that JSON can hold."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:length]
