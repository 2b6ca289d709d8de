"""One walk over the AI-Hub tree: names, and of labels also size and mtime; no file is opened."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from assay.manifest.source import is_leftover
from assay.systems.pills.data.names import EXTENSIONS, INDEX, part_of

if TYPE_CHECKING:
    from assay.systems.pills.data.names import Archive

LABELS = {"place": pl.Int32, "folder": pl.Int32, "name": pl.String, "bytes": pl.Int64,
          "mtime": pl.Int64}  # fmt: skip
IMAGES = {"place": pl.Int32, "folder": pl.Int32, "name": pl.String, "is_broken": pl.Boolean}
PLACES = {"place": pl.Int32, "part": pl.String, "subset": pl.String, "mode": pl.String,
          "drugs": pl.String}  # fmt: skip


@dataclass
class Tree:
    """What lies below a source.

    Attributes:
        places: one row a K folder of a part, shared by its images and its labels: `place, part,
            subset, mode, drugs` (the folder's name).
        folders: paths, relative to the source; `folder` of the other tables is the row here.
        images: `place, folder, name, is_broken` (a link that leads nowhere).
        labels: `place, folder, name, bytes, mtime` (ns).
    """

    places: pl.DataFrame
    folders: pl.Series
    images: pl.DataFrame
    labels: pl.DataFrame


@dataclass
class _Files:
    """Columns, one entry a file, and how many of them each folder gave."""

    names: list[str] = field(default_factory=list)
    first: list[Any] = field(default_factory=list)  # bytes of a label, `is_broken` of an image
    times: list[int] = field(default_factory=list)
    runs: list[tuple[int, int, int]] = field(default_factory=list)  # place, folder, count

    def origin(self) -> dict[str, Any]:
        """Return place and folder of each file."""
        runs = np.array(self.runs, dtype=np.int32).reshape(-1, 3)
        return {
            "place": np.repeat(runs[:, 0], runs[:, 2]), "folder": np.repeat(runs[:, 1], runs[:, 2])
        }  # fmt: skip


@dataclass
class _Found:
    base: str
    places: dict[tuple[str, str], tuple[int, Archive]] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    images: _Files = field(default_factory=_Files)
    labels: _Files = field(default_factory=_Files)


def walk(base: Path) -> Tree:
    """Walk the tree below `base`; hidden files and contact sheets are passed over."""
    found = _Found(str(base))
    _search(found, "")
    places = [
        (number, part.name, part.subset, part.mode, drugs)
        for (_, drugs), (number, part) in found.places.items()
    ]
    images, labels = found.images, found.labels
    return Tree(
        pl.DataFrame(places, schema=PLACES, orient="row"),
        pl.Series("folder", found.folders, dtype=pl.String),
        pl.DataFrame(
            {**images.origin(), "name": images.names, "is_broken": images.first}, schema=IMAGES
        ),
        pl.DataFrame(
            {**labels.origin(), "name": labels.names, "bytes": labels.first, "mtime": labels.times},
            schema=LABELS,
        ),
    )


def _search(found: _Found, folder: str) -> None:
    """Look for parts, in the order of their names: the same tree gives the same places."""
    part = part_of(folder) if folder else None
    if part is not None:
        _part(found, folder, part)
        return
    for name in _sorted_folders(f"{found.base}/{folder}"):
        _search(found, f"{folder}/{name}" if folder else name)


def _part(found: _Found, folder: str, part: Archive) -> None:
    read = _labels if part.is_labels else _images
    for name in _sorted_folders(f"{found.base}/{folder}"):
        drugs = name.removesuffix("_json") if part.is_labels else name
        place, _ = found.places.setdefault((part.key, drugs), (len(found.places), part))
        if not part.is_labels:  # a part is named after its images
            found.places[part.key, drugs] = (place, part)
        read(found, f"{folder}/{name}", place)


def _images(found: _Found, folder: str, place: int) -> None:
    with os.scandir(f"{found.base}/{folder}") as scanned:
        entries = list(scanned)
    files = [entry for entry in entries if _is_image(entry.name) and not entry.is_dir()]
    found.images.names += [entry.name for entry in files]
    found.images.first += [entry.is_symlink() and not entry.is_file() for entry in files]
    _keep(found, found.images, folder, place, len(files))
    if len(files) < len(entries):
        for entry in entries:
            if entry.is_dir():
                _images(found, f"{folder}/{entry.name}", place)


def _labels(found: _Found, folder: str, place: int) -> None:
    with os.scandir(f"{found.base}/{folder}") as scanned:
        entries = list(scanned)
    files = [
        entry for entry in entries
        if entry.name.endswith(".json") and not is_leftover(entry.name)
    ]  # fmt: skip
    told = [_stamp(entry) for entry in files]
    found.labels.names += [entry.name for entry in files]
    found.labels.first += [each.st_size for each in told]
    found.labels.times += [each.st_mtime_ns for each in told]
    _keep(found, found.labels, folder, place, len(files))
    if len(files) < len(entries):
        for entry in entries:
            if entry.is_dir():
                _labels(found, f"{folder}/{entry.name}", place)


def _keep(found: _Found, files: _Files, folder: str, place: int, count: int) -> None:
    files.runs.append((place, len(found.folders), count))
    found.folders.append(folder)


def _stamp(entry: os.DirEntry[str]) -> os.stat_result:
    """Return what a link leads to, or the link itself where it leads nowhere: opening says the rest."""
    try:
        return entry.stat()
    except OSError:
        return entry.stat(follow_symlinks=False)


def _is_image(name: str) -> bool:
    return (
        (name.endswith(EXTENSIONS) or name.lower().endswith(EXTENSIONS))
        and not is_leftover(name)
        and not name.endswith(INDEX)
    )


def _sorted_folders(path: str) -> list[str]:
    with os.scandir(path) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir())
