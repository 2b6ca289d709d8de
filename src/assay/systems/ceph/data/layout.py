"""The folders of Aariz: which films a source holds, and where each one's image and annotations lie.

[<root>/]{train,valid,test}/Cephalograms/<id>.{png,jpg,jpeg,bmp}
[<root>/]{train,valid,test}/Annotations/Cephalometric Landmarks/<reader> Orthodontists/<id>.json
[<root>/]{train,valid,test}/Annotations/CVM Stages/<id>.json

Folders are known in any case, and with `_` for a blank. What lies elsewhere is not read, and named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from assay.manifest.stems import by_stem, several
from assay.systems.ceph.data.machines import TABLE

if TYPE_CHECKING:
    from assay.systems.ceph.data.machines import Unit

SPLITS = ("train", "valid", "test")
IMAGES, NOTES = "Cephalograms", "Annotations"
EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp")
# Pictures that people have, and that are not taken.
UNTAKEN = (".tif", ".tiff", ".dcm", ".dicom", ".heic", ".gif", ".webp", ".jp2", ".pdf")
READERS = ("senior", "junior")
KINDS = {
    "senior": f"{NOTES}/Cephalometric Landmarks/Senior Orthodontists",
    "junior": f"{NOTES}/Cephalometric Landmarks/Junior Orthodontists",
    "cvm": f"{NOTES}/CVM Stages",
}


@dataclass(frozen=True)
class Film:
    """One film of the source: its files, by what the layout calls them.

    Attributes:
        id: its cephalogram id.
        split: the published one, or the folder that is none.
        images: as many as there are; one is right.
        annotations: kind (senior, junior, cvm) → files, of those that are there, or may be.
        fault: why it cannot be used, in words; empty where nothing is known against it.
        unread: files that bear its name, and lie where nothing is read.
    """

    id: str
    split: str
    images: tuple[str, ...]
    annotations: Mapping[str, tuple[str, ...]]
    fault: str = ""
    unread: tuple[str, ...] = ()


def root_of(listed: Iterable[str]) -> str:
    """Return the folder that the splits stand in: empty, or as in the archive, `Aariz/`."""
    for name in listed:
        parts = PurePosixPath(name).parts
        depth = _depth(parts)
        if depth and _plain(parts[depth - 1]) in SPLITS:
            return "".join(f"{each}/" for each in parts[: depth - 1])
    return ""


def films_listed(listed: list[str], units: Mapping[str, Unit]) -> list[Film]:
    """Return the films of a source that can be listed: all with an image or an annotation.

    A film that only the machine table knows is missing where its split is there, and not part of the
    copy where the whole split is not.
    """
    held: dict[str, dict[str, list[str]]] = {}
    for name in listed:
        split, place = _place(name)
        if split:
            held.setdefault(split, {}).setdefault(place, []).append(name)
    films = [film for split, places in sorted(held.items()) for film in _of_split(split, places)]
    return [*_once(films), *_only_stated(units, films)]


def films_stated(units: Mapping[str, Unit]) -> list[Film]:
    """Return the films that the machine table names, for a source that cannot be listed."""
    return [
        Film(
            film, unit.split,
            (f"{unit.split}/{IMAGES}/{film}.{unit.extension}",),
            {kind: (f"{unit.split}/{place}/{film}.json",) for kind, place in KINDS.items()},
        )
        for film, unit in sorted(units.items())
        if unit.split in SPLITS
    ]  # fmt: skip


def table_name(listed: list[str] | None) -> str:
    """Return where the machine table lies, relative to the source."""
    return TABLE if listed is None else root_of(listed) + TABLE


def _plain(text: str) -> str:
    return re.sub(r"[\s_-]+", " ", text).strip().lower()


PLACES = {_plain(place): kind for kind, place in KINDS.items()}


def _depth(parts: tuple[str, ...]) -> int:
    """Return where, below a split, films or annotations begin; 0 where they do not."""
    known = (_plain(IMAGES), _plain(NOTES))
    return next((at for at, part in enumerate(parts[:-1]) if at and _plain(part) in known), 0)


def _place(name: str) -> tuple[str, str]:
    """Return a file's split and what it is there: `image`, an annotation's kind, or `unread`."""
    parts = PurePosixPath(name).parts
    depth = _depth(parts)
    if not depth:
        return "", ""
    split = _plain(parts[depth - 1]) if _plain(parts[depth - 1]) in SPLITS else parts[depth - 1]
    folder = "/".join(map(_plain, parts[depth:-1]))
    suffix = PurePosixPath(name).suffix.lower()
    if folder == _plain(IMAGES) and suffix in EXTENSIONS:
        return split, "image"
    if folder in PLACES and suffix == ".json":
        return split, PLACES[folder]
    if suffix in UNTAKEN or (suffix in EXTENSIONS and _plain(parts[depth]) == _plain(IMAGES)):
        return split, "untaken"
    return split, "unread" if suffix == ".json" else ""


def _of_split(split: str, places: Mapping[str, list[str]]) -> list[Film]:
    """Return the films of one split, each with what is known against its files."""
    found = {place: _by_id(names) for place, names in places.items() if place}
    images, untaken, unread = (found.pop(each, {}) for each in ("image", "untaken", "unread"))
    films = []
    for film in sorted(set(images).union(untaken, unread, *found.values())):
        mine, others = images.get(film, []), untaken.get(film, [])
        notes = {kind: tuple(each[film]) for kind, each in found.items() if film in each}
        fault = several([*mine, *others]) if mine else _untaken(others)
        if split not in SPLITS:
            fault = f"lies in {split}, no split of the layout ({', '.join(SPLITS)})"
        films.append(Film(film, split, (*mine, *others), notes, fault, tuple(unread.get(film, ()))))
    return films


def _by_id(names: list[str]) -> dict[str, list[str]]:
    """Return id → files; folders are known in several spellings, so that only a name tells."""
    found: dict[str, list[str]] = {}
    for stem, each in by_stem(names).items():
        found.setdefault(PurePosixPath(stem).name, []).extend(each)
    return found


def _untaken(names: list[str]) -> str:
    if not names:
        return ""
    deeper = [name for name in names if PurePosixPath(name).suffix.lower() in EXTENSIONS]
    if deeper:
        return f"lies deeper than {IMAGES}/: {', '.join(deeper)}"
    taken = ", ".join(each[1:] for each in EXTENSIONS)
    return f"{', '.join(names)}: no format that is taken ({taken}; predict reads DICOM too)"


def _once(films: list[Film]) -> list[Film]:
    """Name the splits of a film that stands in several: nobody knows in which it belongs."""
    splits: dict[str, list[str]] = {}
    for film in films:
        splits.setdefault(film.id, []).append(film.split)
    return [
        film
        if len(splits[film.id]) == 1 or film.fault
        else replace(film, fault=f"one id in several splits: {', '.join(splits[film.id])}")
        for film in films
    ]


def _only_stated(units: Mapping[str, Unit], films: list[Film]) -> list[Film]:
    """Return the films that the table knows and no file bears, of the splits that are there."""
    known, there = {film.id for film in films}, {film.split for film in films if film.images}
    return [
        Film(film, unit.split, (), {})
        for film, unit in sorted(units.items())
        if film not in known and (unit.split in there or unit.split not in SPLITS)
    ]
