"""A classification set (a folder a class) → detection labels: one box a photograph, the whole of it.

    <source>/<class>/<name>.png …, and perhaps classes.json: names in the order of their numbers

Class names are those of `classes.json` where it is given, else the folders', sorted.
"""

from __future__ import annotations

from pathlib import Path

from ruamel.yaml import YAML

from assay.errors import SourceError
from assay.manifest.images import open_image
from assay.manifest.source import Source
from assay.runs.files import read_json, write_json
from assay.systems.pills.data.names import EXTENSIONS, HIDDEN

WHOLE = "0.5 0.5 1 1"  # centre and size, shares
NAMES = "classes.json"
EXPECTED = "<class>/<photograph>"


def folder_names(source: Path) -> list[str]:
    """Return the names of the classes by number.

    Raises:
        SourceError: `classes.json` is no list of names, or lacks a folder; or there is no folder.
    """
    found = sorted(path.name for path in source.iterdir() if path.is_dir())
    if not found:
        raise SourceError(str(source), "no folders of classes", EXPECTED)
    path = source / NAMES
    if not path.exists():
        return found
    try:
        told = read_json(path)
    except ValueError:
        told = None
    if not isinstance(told, list) or len(set(map(str, told))) != len(told):
        raise SourceError(str(path), "no list of names, each once", '["one", "other", …]')
    unknown = [name for name in found if name not in told]
    if unknown:
        raise SourceError(str(path), f"lacks {', '.join(unknown[:5])}", "every folder's name")
    return [str(name) for name in told]


def folders_to_detection(source: Path, place: Path) -> Path:
    """Write images (links), a label a photograph and `data.yaml` below `place`, and return that.

    A photograph that cannot be read is left out, and told.

    Raises:
        SourceError: the source is no classification set, or `place` holds something already.
    """
    if not source.is_dir():
        raise SourceError(str(source), "no such folder", EXPECTED)
    names = folder_names(source)
    if place.exists() and any(place.iterdir()):
        raise SourceError(str(place), "is not empty", "a new folder")
    for kind in ("images", "labels"):
        (place / kind).mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        folder = source / name
        listed = sorted(folder.iterdir()) if folder.is_dir() else []
        for path in listed:
            if path.suffix.lower() not in EXTENSIONS or path.name.startswith(HIDDEN):
                continue
            reason = _fault(path)
            if reason:
                print(f"  left out: {path}: {reason}")
                continue
            # The class before the name: two folders may hold photographs of one file name.
            stem = f"{number:04d}_{path.stem}"
            (place / "images" / f"{stem}{path.suffix}").symlink_to(path.resolve())
            label = place / "labels" / f"{stem}.txt"
            label.write_text(f"{number} {WHOLE}\n", encoding="ascii")
    write_json(place / NAMES, names)
    told = {"path": str(place.resolve()), "train": "images", "val": "images",
            "names": dict(enumerate(names))}  # fmt: skip
    with (place / "data.yaml").open("w", encoding="utf-8") as stream:
        YAML().dump(told, stream)
    return place / "data.yaml"


def _fault(path: Path) -> str:
    """Return why a photograph cannot be read, or an empty text."""
    source, uri = Source(str(path.parent), path.parent), str(path.resolve())
    return open_image(source, uri, source.stamp(uri), None).reason or ""
