"""The folders of Aariz: which films a source holds, and where each one's image and annotations lie.

[<root>/]{train,valid,test}/Cephalograms/<id>.{png,jpg,jpeg,bmp}
[<root>/]{train,valid,test}/Annotations/Cephalometric Landmarks/<reader> Orthodontists/<id>.json
[<root>/]{train,valid,test}/Annotations/CVM Stages/<id>.json
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from assay.systems.ceph.data.machines import TABLE

if TYPE_CHECKING:
    from assay.systems.ceph.data.machines import Unit

SPLITS = ("train", "valid", "test")
IMAGES = "Cephalograms"
EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp")
READERS = ("senior", "junior")
KINDS = {
    "senior": "Annotations/Cephalometric Landmarks/Senior Orthodontists",
    "junior": "Annotations/Cephalometric Landmarks/Junior Orthodontists",
    "cvm": "Annotations/CVM Stages",
}


@dataclass(frozen=True)
class Film:
    """One film of the source: its files, by what the layout calls them.

    Attributes:
        id: its cephalogram id.
        split: the published one.
        images: as many as there are; one is right.
        annotations: kind (senior, junior, cvm) → file, of those that are there, or may be.
    """

    id: str
    split: str
    images: tuple[str, ...]
    annotations: Mapping[str, str]


def root_of(listed: Iterable[str]) -> str:
    """Return the folder that the splits stand in: empty, or as in the archive, `Aariz/`."""
    for name in listed:
        parts = PurePosixPath(name).parts
        for depth, part in enumerate(parts[:-1]):
            if part in SPLITS and parts[depth + 1] in {IMAGES, "Annotations"}:
                return "".join(f"{each}/" for each in parts[:depth])
    return ""


def films_listed(listed: list[str], units: Mapping[str, Unit]) -> list[Film]:
    """Return the films of a source that can be listed: all with an image or an annotation.

    A film that only the machine table knows is missing where its split is there, and not part of the
    copy where the whole split is not.
    """
    root = root_of(listed)
    films: list[Film] = []
    for split in SPLITS:
        folder = f"{root}{split}/"
        mine = [name.removeprefix(folder) for name in listed if name.startswith(folder)]
        images = _by_id(mine, IMAGES, EXTENSIONS)
        notes = {kind: _by_id(mine, place, (".json",)) for kind, place in KINDS.items()}
        ids = set(images).union(*notes.values())
        if images:
            ids |= {film for film, unit in units.items() if unit.split == split}
        films += [
            Film(
                film, split,
                tuple(folder + name for name in images.get(film, ())),
                {kind: folder + found[film][0] for kind, found in notes.items() if film in found},
            )
            for film in sorted(ids)
        ]  # fmt: skip
    return _without_elsewhere(films)


def films_stated(units: Mapping[str, Unit]) -> list[Film]:
    """Return the films that the machine table names, for a source that cannot be listed."""
    return [
        Film(
            film, unit.split,
            (f"{unit.split}/{IMAGES}/{film}.{unit.extension}",),
            {kind: f"{unit.split}/{place}/{film}.json" for kind, place in KINDS.items()},
        )
        for film, unit in sorted(units.items())
        if unit.split in SPLITS
    ]  # fmt: skip


def table_name(listed: list[str] | None) -> str:
    """Return where the machine table lies, relative to the source."""
    return TABLE if listed is None else root_of(listed) + TABLE


def _by_id(names: list[str], folder: str, extensions: tuple[str, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        path = PurePosixPath(name)
        if str(path.parent) == folder and path.suffix.lower() in extensions:
            found.setdefault(path.stem, []).append(name)
    return found


def _without_elsewhere(films: list[Film]) -> list[Film]:
    """Drop films without any file that stand, with files, in another split than the table says."""
    there = {film.id for film in films if film.images or film.annotations}
    return [film for film in films if film.images or film.annotations or film.id not in there]
