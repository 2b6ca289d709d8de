"""The repository's root, from wherever a person stands in it."""

from __future__ import annotations

from pathlib import Path

from assay.errors import AssayError


def find_root(start: Path) -> Path:
    """Return the nearest folder upwards that holds `.dvc`.

    Raises:
        AssayError: there is none.
    """
    for folder in (start, *start.parents):
        if (folder / ".dvc").is_dir():
            return folder
    raise AssayError(
        str(start), "no repository here or above", "a folder with .dvc", "cd <checkout>"
    )
