"""The forms in which pills leave the repository: YOLO, Parquet, drug metadata, folders as labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from assay.errors import AssayError
from assay.manifest.source import Source
from assay.runs.places import PRIVATE
from assay.systems.pills.data.codes import classes_for, read_classes
from assay.systems.pills.data.drugs import gather_drugs
from assay.systems.pills.data.export import export_yolo, write_parquet
from assay.systems.pills.data.folders import folders_to_detection
from assay.systems.pills.data.index import read_index
from assay.systems.pills.data.parting import VALIDATES
from assay.systems.pills.data.photographs import list_photographs

if TYPE_CHECKING:
    from assay.systems.pills.data.codes import ClassTable
    from assay.systems.pills.data.index import Index

Reading = Callable[[], tuple[pl.DataFrame, dict[str, Any]]]


def write_form(form: str, root: Path, place: Path, source: str, rows: Reading) -> Path:
    """Write one form of the set, and return what a person should look at.

    Args:
        form: `yolo`, `yolo-drugs`, `parquet`, `drugs` or `folders`.
        root: the repository's root, from which `uri` counts.
        place: a new folder; of one file also its path.
        source: a classification set, of `folders` alone.
        rows: reads training and validation rows, and the facts about them.

    Raises:
        AssayError: the form needs a source, or takes none.
    """
    if (form == "folders") != bool(source):
        told = "needs --source <folder a class>" if form == "folders" else "takes no --source"
        raise AssayError(f"--format {form}", told, mend=_again(form))
    if form == "folders":
        return folders_to_detection(Path(source), place)
    table, facts = rows()
    if form == "parquet":
        path = _named(root, place, "pills.parquet")
        write_parquet(table, path)
        return path
    if form == "yolo":
        return export_yolo(table, root, ["pill"], None, VALIDATES, place)
    index, classes = _classes(root, facts)
    if form == "yolo-drugs":
        return export_yolo(table, root, classes.codes, range(len(classes)), VALIDATES, place)
    path = _named(root, place, "drug_metadata.json")
    gather_drugs(index, classes).write(path)
    return path


def _again(form: str) -> str:
    more = "--source ../photographs ../labels" if form == "folders" else "pills-export"
    return f"assay export pills --format {form} {more}"


def _named(root: Path, place: Path, name: str) -> Path:
    """Return the file: `place` itself where it looks like one, else `name` in that folder.

    Raises:
        AssayError: it is named as what it is not; or somebody's file stands there (below `.assay` exports
            are made anew).
    """
    path = place / name if place.is_dir() or not place.suffix else place
    if path.suffix != Path(name).suffix:
        found = f"named {path.suffix}, and would hold what {name} does"
        raise AssayError(
            str(path), found, Path(name).suffix, str(path.with_suffix(Path(name).suffix))
        )
    if path.exists() and not path.resolve().is_relative_to(root.resolve() / PRIVATE):
        raise AssayError(str(path), "stands there already", "a new file", f"rm {path}, or another")
    return path


def _classes(root: Path, facts: Mapping[str, Any]) -> tuple[Index, ClassTable]:
    """Return the index of the source that the rows are of, and the class table that their ids are of."""
    base = str(facts["base"])
    index = read_index(Source(base, root))
    return index, classes_for(list_photographs(index), read_classes(root), base)
