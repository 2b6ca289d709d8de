"""One walk over the AI-Hub tree: names, and of labels also size and mtime; no file is opened."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

import numpy as np
import polars as pl

from assay.errors import SourceError
from assay.manifest.source import is_leftover
from assay.systems.pills.data.names import EXTENSIONS, INDEX, LIKE_PART, NOTES, part_of, untaken

if TYPE_CHECKING:
    from assay.systems.pills.data.names import Archive

LABELS = {"place": pl.Int32, "folder": pl.Int32, "name": pl.String, "bytes": pl.Int64,
          "mtime": pl.Int64}  # fmt: skip
IMAGES = {"place": pl.Int32, "folder": pl.Int32, "name": pl.String, "fault": pl.String}
PLACES = {"place": pl.Int32, "part": pl.String, "subset": pl.String, "mode": pl.String,
          "drugs": pl.String}  # fmt: skip


@dataclass
class Tree:
    """What lies below a source.

    Attributes:
        places: one row a K folder of a part, shared by its images and its labels: `place, part,
            subset, mode, drugs` (the folder's name).
        folders: paths, relative to the source; `folder` of the other tables is the row here.
        images: `place, folder, name, fault` (a link that leads nowhere, a type that is not taken).
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
    first: list[Any] = field(default_factory=list)  # bytes of a label, fault of an image
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
    """Walk the tree below `base`; what operating systems leave and contact sheets are passed over.

    Raises:
        SourceError: a folder cannot be walked (a link leads back above itself), or is a part by half.
    """
    found = _Found(str(base))
    try:
        _search(found, "")
    except OSError as fault:
        raise SourceError(
            str(fault.filename), f"cannot be walked: {fault.strerror}", "folders without links back",
            f"ls -l {fault.filename}",
        ) from None  # fmt: skip
    places = [
        (number, part.name, part.subset, part.mode, drugs)
        for (_, drugs), (number, part) in found.places.items()
    ]
    images, labels = found.images, found.labels
    return Tree(
        pl.DataFrame(places, schema=PLACES, orient="row"),
        pl.Series("folder", found.folders, dtype=pl.String),
        pl.DataFrame(
            {**images.origin(), "name": images.names, "fault": images.first}, schema=IMAGES
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
    name = folder.rpartition("/")[2]
    if LIKE_PART.match(name):
        raise SourceError(
            f"{found.base}/{folder}", "a part by half", "{TS,TL,VS,VL}_<n>_{single,combo,단일,조합}",
            f"mv {folder} to such a name, or out of the source",
        )  # fmt: skip
    names = _sorted_folders(f"{found.base}/{folder}")
    unpacked = {normalize("NFC", name) for name in names}
    for archive in Path(f"{found.base}/{folder}").glob("*.zip"):
        if part_of(archive.stem) and normalize("NFC", archive.stem) not in unpacked:
            print(f"  passed over: {archive}: a part that is not unpacked")
    for name in names:
        _search(found, f"{folder}/{name}" if folder else name)


def _part(found: _Found, folder: str, part: Archive) -> None:
    read = _labels if part.is_labels else _images
    read(found, folder, _place(found, part, ""), deep=False)  # files beside the K folders
    for name in _sorted_folders(f"{found.base}/{folder}"):
        if part_of(name):  # an archive's folder in a folder of its name
            _part(found, f"{folder}/{name}", part)
            continue
        drugs = normalize("NFC", name.removesuffix("_json") if part.is_labels else name)
        read(found, f"{folder}/{name}", _place(found, part, drugs))


def _place(found: _Found, part: Archive, drugs: str) -> int:
    """Return the number of a K folder of a part."""
    place, _ = found.places.setdefault((part.key, drugs), (len(found.places), part))
    if not part.is_labels:  # a part is named after its images
        found.places[part.key, drugs] = (place, part)
    return place


def _images(found: _Found, folder: str, place: int, deep: bool = True) -> None:
    with os.scandir(f"{found.base}/{folder}") as scanned:
        entries = list(scanned)
    files = [entry for entry in entries if not (_passed_over(entry.name) or entry.is_dir())]
    found.images.names += [entry.name for entry in files]
    found.images.first += [_image_fault(entry) for entry in files]
    _keep(found, found.images, folder, place, len(files))
    if deep and len(files) < len(entries):
        for entry in entries:
            if entry.is_dir() and not is_leftover(entry.name):
                _images(found, f"{folder}/{entry.name}", place)


def _labels(found: _Found, folder: str, place: int, deep: bool = True) -> None:
    with os.scandir(f"{found.base}/{folder}") as scanned:
        entries = list(scanned)
    files = [
        entry for entry in entries
        if entry.name.lower().endswith(".json") and not is_leftover(entry.name)
    ]  # fmt: skip
    told = [_stamp(entry) for entry in files]
    found.labels.names += [entry.name for entry in files]
    found.labels.first += [each.st_size for each in told]
    found.labels.times += [each.st_mtime_ns for each in told]
    _keep(found, found.labels, folder, place, len(files))
    if deep and len(files) < len(entries):
        for entry in entries:
            if entry.is_dir() and not is_leftover(entry.name):
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


def _passed_over(name: str) -> bool:
    """Whether a file is no photograph by its name: left by a system, a contact sheet, a text."""
    return is_leftover(name) or name.endswith(INDEX) or name.lower().endswith(NOTES)


def _image_fault(entry: os.DirEntry[str]) -> str | None:
    if not entry.name.endswith(EXTENSIONS) and (fault := untaken(entry.name)):
        return fault
    return "broken link" if entry.is_symlink() and not entry.is_file() else None


def _sorted_folders(path: str) -> list[str]:
    with os.scandir(path) as entries:
        names = [entry.name for entry in entries if entry.is_dir()]
    return sorted(name for name in names if not is_leftover(name))
