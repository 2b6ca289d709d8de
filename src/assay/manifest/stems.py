"""Files that belong together by name without extension: a mask and its photograph, points and a film."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from unicodedata import normalize


def by_stem(names: Iterable[str], folder: str = "") -> dict[str, list[str]]:
    """Return stem → files of that stem, in order of their names.

    The stem is relative to `folder`, and composed: macOS holds Korean names decomposed. More than one
    file is a fault of the row that they would share: nobody knows which is meant.
    """
    found: dict[str, list[str]] = {}
    for name in sorted(names):
        path = PurePosixPath(name.removeprefix(folder))
        found.setdefault(normalize("NFC", str(path.with_suffix(""))), []).append(name)
    return found


def several(names: list[str]) -> str:
    """Return the fault of a stem that several files bear, in words; empty where one does."""
    return f"{len(names)} files of one name: {', '.join(names)}" if len(names) > 1 else ""
