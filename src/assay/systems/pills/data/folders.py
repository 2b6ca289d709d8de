"""A classification set (a folder a class) → detection labels: one box a photograph, the whole of it.

    <source>/<class>/<name>.png …, and perhaps classes.json: names in the order of their numbers

Class names are those of `classes.json` where it is given, else the folders', sorted. Of five sessions
(`names.session`; photographs of equal bytes go together) one validates, a class as often as another.
"""

from __future__ import annotations

from pathlib import Path
from unicodedata import normalize

import polars as pl

from assay.errors import AssayError, SourceError
from assay.manifest.encoding import parsed_json
from assay.manifest.groups import join_groups, spelling
from assay.manifest.images import open_image
from assay.manifest.source import Source, is_leftover
from assay.manifest.split import assign
from assay.runs.files import write_json
from assay.systems.pills.data.data_yaml import HALVES, make_folders, write_data_yaml
from assay.systems.pills.data.export import ensure_new
from assay.systems.pills.data.names import EXTENSIONS, session

WHOLE = "0.5 0.5 1 1"  # centre and size, shares
NAMES = "classes.json"
EXPECTED = "<class>/<photograph>"
PARTS, SEED = 5, 0
ROW = {"class": pl.Int64, "path": pl.String, "digest": pl.String}


def folder_names(source: Path) -> list[str]:
    """Return the names of the classes by number, composed (macOS holds Korean ones decomposed).

    Raises:
        SourceError: `classes.json` is no list of names, or lacks a folder; there is no folder; or two
            classes differ by case, blanks or composition alone.
    """
    found = sorted(normalize("NFC", path.name) for path in _entries(source) if path.is_dir())
    strange = [name for name in found if _shown(name) != name]
    if strange:
        raise SourceError(str(source), f"a name that is not UTF-8: {_shown(strange[0])}", EXPECTED)
    if not found:
        raise SourceError(str(source), "no folders of classes", EXPECTED)
    _ensure_apart(source, found)
    path = source / NAMES
    if not path.exists():
        return found
    try:
        told = parsed_json(path.read_bytes())
    except ValueError:
        told = None
    if not isinstance(told, list) or not all(isinstance(name, str) and name for name in told):
        raise SourceError(str(path), "no list of names, each once", '["one", "other", …]')
    names = [normalize("NFC", name) for name in told]
    _ensure_apart(path, names)
    unknown = [name for name in found if name not in names]
    if unknown:
        raise SourceError(str(path), f"lacks {', '.join(unknown[:5])}", "every folder's name")
    return names


def folders_to_detection(source: Path, place: Path) -> Path:
    """Write images (links), a label a photograph and `data.yaml` below `place`, and return that.

    What cannot be used is left out, and told, and so is a class without a photograph.

    Raises:
        SourceError: the source is no classification set, or `place` holds something already.
    """
    if not source.is_dir():
        raise SourceError(str(source), "no such folder", EXPECTED)
    names = folder_names(source)
    ensure_new(place)
    rows = _halves(source, _photographs(source, names))
    make_folders(place)
    for number, name in enumerate(names):
        each = [
            int((rows["class"].filter(rows["half"] == half) == number).sum()) for half in HALVES
        ]
        if 0 in each:
            print(f"  class {name}: {each[0]} photographs train, {each[1]} validate")
    for place_of, (number, path, half) in enumerate(rows.select("class", "path", "half").rows()):
        # Class and place: names of photographs, in several classes, forms and cases, may be equal.
        stem = f"{number:04d}_{place_of:06d}"
        link = place / half / "images" / f"{stem}{Path(path).suffix.lower()}"
        link.symlink_to(path)
        label = place / half / "labels" / f"{stem}.txt"
        label.write_text(f"{number} {WHOLE}\n", encoding="ascii")
    write_json(place / NAMES, names)
    return write_data_yaml(place, place.resolve(), names)


def _photographs(source: Path, names: list[str]) -> pl.DataFrame:
    """Return `class, path, digest` of what can be read; tell what is left out."""
    rows = []
    for folder in _entries(source):
        if not folder.is_dir():
            if folder.name != NAMES:
                print(f"  left out: {_shown(folder)}: in no class's folder")
            continue
        for path in _entries(folder):
            digest, fault = _read(path)
            if fault:
                print(f"  left out: {_shown(path)}: {fault}")
            else:
                rows.append(
                    (names.index(normalize("NFC", folder.name)), str(path.resolve()), digest)
                )
    table = pl.DataFrame(rows, schema=ROW, orient="row").sort("class", "path")
    several = pl.col("class").n_unique().over("digest") > 1
    for path in table.filter(several)["path"]:
        print(f"  left out: {path}: equal bytes stand in another class")
    return table.filter(~several)


def _halves(source: Path, rows: pl.DataFrame) -> pl.DataFrame:
    """Add `half`: no session and no content stands in both.

    Raises:
        SourceError: there are too few sessions.
    """
    file = pl.col("path").str.split("/").list.last()
    own = rows.select(own=pl.format("{}/{}", "class", session(file)))["own"]
    rows = rows.with_columns(sample_id="path", group_id=join_groups(spelling(own), rows["digest"]))
    try:
        fold = assign(rows, "class", "none", PARTS, rows["class"].n_unique() or 1, SEED)["fold"]
    except AssayError as fault:
        raise SourceError(
            str(source), f"{len(rows)} photographs: {fault.found}",
            f"{PARTS} sessions or more: one of {PARTS} validates",
        ) from None  # fmt: skip
    train, val = map(pl.lit, HALVES)
    return rows.with_columns(half=pl.when(fold == 0).then(val).otherwise(train))


def _entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not is_leftover(path.name))


def _shown(name: object) -> str:
    """Return a file's name as text; of bytes that are no UTF-8 Python makes what no table takes."""
    return str(name).encode(errors="replace").decode()


def _ensure_apart(where: Path, names: list[str]) -> None:
    plain = spelling(pl.Series(names))
    again = [name for name, alike in zip(names, plain.is_duplicated(), strict=True) if alike]
    if again:
        raise SourceError(
            str(where), f"classes that differ by case, blanks or composition alone: {', '.join(again)}",
            "a name a class", f"mv {again[-1]}/* {again[0]}/ if they are one, else rename one",
        )  # fmt: skip


def _read(path: Path) -> tuple[str, str]:
    """Return a photograph's digest, and why it cannot be used, or an empty text."""
    if _shown(path) != str(path):
        return "", "its name is not UTF-8"
    if path.suffix.lower() not in EXTENSIONS:
        return "", f"no photograph: one of {', '.join(EXTENSIONS)}"
    source, uri = Source(str(path.parent), path.parent), str(path.resolve())
    found = open_image(source, uri, source.stamp(uri), None)
    return found.digest, found.reason
