"""What was brought up to date in the local MLflow store, and in which state of it.

Importing MLflow and asking it costs seconds; where neither files nor store have changed since it was
last asked, its answer is known. A state is told by the database file itself: place, inode, size, time,
and SQLite's header, whose counter every transaction moves; and by the times of the folders of runs and
models, which move with every file that is put there or taken away. Where a server is stated, or somebody
is at work in the store, nothing is assumed. The note lies within the store, and goes where that goes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from assay.runs.files import content_digest, read_json, write_json
from assay.tracking.store import DATABASE, STATED, store_folder

FILE = "synced-1.json"
MAGIC, HEADER = b"SQLite format 3\0", 100  # bytes of SQLite's header; the counter is in it
DEPTH = 7  # folders: <task>/<run>/artifacts/pictures, …/<model>/artifacts/artifacts/bundle/<part>
CODE = "code"  # of a registered model: Python leaves compiled files in it, whoever loads it
UNFINISHED = ("-journal", "-wal")  # beside the database while a transaction is not in it
T = TypeVar("T")


def state_of(root: Path) -> str:
    """Return what the store is now; empty where nothing may be assumed of it."""
    database = store_folder(root).resolve() / DATABASE
    try:
        with database.open("rb") as stream:
            header, found = stream.read(HEADER), os.fstat(stream.fileno())
    except OSError:
        return ""
    beside = [database.with_name(database.name + end) for end in UNFINISHED]
    is_busy = any(path.exists() and path.stat().st_size for path in beside)
    if os.environ.get(STATED) or is_busy or not header.startswith(MAGIC):
        return ""
    place = [str(database), found.st_ino, found.st_size, found.st_mtime_ns]
    folders = sorted(_folders(store_folder(root) / "artifacts", DEPTH))
    return content_digest([*place, header.hex(), folders])


def _folders(place: Path | str, depth: int) -> Iterator[tuple[str, int]]:
    """Yield each folder in `place`, and in those, with the time when its listing last changed."""
    try:
        with os.scandir(place) as found:
            places = [each for each in found if each.is_dir() and each.name != CODE]
            inside = [(each.path, each.stat().st_mtime_ns) for each in places]
    except OSError:  # none yet, or removed meanwhile
        return
    for path, time in inside:
        yield path, time
        if depth > 1:
            yield from _folders(path, depth - 1)


def until_stable(root: Path, look: Callable[[], T]) -> tuple[T, str]:
    """Call what brings the store up to date; once more where the store changed meanwhile.

    Args:
        root: the repository's root.
        look: changes what is not as it should be; a second call finds nothing.

    Returns:
        What the first call returned, and the state in which the last one found nothing to change; empty
        where it did, or where nothing may be assumed.
    """
    before = state_of(root)
    first = look()
    if before and before == state_of(root):
        return first, before
    before = state_of(root)
    if before:
        look()
    return first, before if before == state_of(root) else ""


def noted(root: Path, part: str) -> Any:
    """Return what was noted of a part of the store in its present state; None where nothing was."""
    found = _read(root)
    state = state_of(root)
    return found["parts"].get(part) if state and found["state"] == state else None


def note(root: Path, part: str, state: str, content: Any) -> None:
    """Note what JSON can hold of a part, true of this state; what was noted of another state goes."""
    if not state:
        return
    found = _read(root)
    parts = found["parts"] if found["state"] == state else {}
    write_json(store_folder(root) / FILE, {"state": state, "parts": {**parts, part: content}})


def _read(root: Path) -> dict[str, Any]:
    try:
        found = read_json(store_folder(root) / FILE)
        return {"state": str(found["state"]), "parts": dict(found["parts"])}
    except (OSError, ValueError, KeyError, TypeError):  # none, torn, or somebody else's
        return {"state": "", "parts": {}}
