"""Boxes → a YOLO data set, a cache outside DVC that is rebuilt from the manifest; and one Parquet table.

    <folder>/{train,val}/labels/<name>.txt     class, centre x, centre y, width, height, as shares
    <folder>/{train,val}/images/<name>.<ext>   links to the photographs
    <folder>/data.yaml, classes.json

Classes come from our table, never from `category_id` (always 1 in the published set).
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from assay.errors import SourceError
from assay.manifest.table import write_table
from assay.runs.files import content_digest, write_json
from assay.runs.places import YOLO
from assay.systems.pills.data.data_yaml import NAME, make_folders, write_data_yaml

Floats = npt.NDArray[np.float64]


def normalised(boxes: Floats, size: Floats) -> Floats:
    """Return boxes (n, 4) x, y, w, h px as centre x, centre y, w, h, shares of `size` (n, 2).

    Raises:
        SourceError: a box lies outside its photograph, or has no area; what trains must not guess.
    """
    wrong = (
        (boxes[:, :2] < 0).any(axis=1)
        | (boxes[:, 2:] <= 0).any(axis=1)
        | (boxes[:, :2] + boxes[:, 2:] > size).any(axis=1)
        | ~np.isfinite(boxes).all(axis=1)
    )
    if wrong.any():
        raise SourceError(
            f"box {boxes[int(wrong.argmax())].tolist()}", f"{int(wrong.sum())} boxes outside",
            "0 ≤ x, y; w, h > 0; inside the photograph", "dvc repro validate@pills",
        )  # fmt: skip
    shares = np.concatenate([boxes[:, :2] + boxes[:, 2:] / 2, boxes[:, 2:]], axis=1)
    return np.asarray(shares / np.tile(size, 2))


def export_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Return one row a pill: `sample_id, uri, fold, width, height, code, class, x, y, w, h`."""
    lists = ["codes", "classes", "boxes"]
    keep = [
        name for name in ("sample_id", "uri", "fold", "width", "height") if name in rows.columns
    ]
    pills = rows.select(*keep, *lists).explode(lists).filter(pl.col("codes").is_not_null())
    corners = [pl.col("boxes").arr.get(place).alias(name) for place, name in enumerate("xywh")]
    return pills.with_columns(*corners).rename({"codes": "code", "classes": "class"}).drop("boxes")


def write_parquet(rows: pl.DataFrame, path: Path) -> None:
    """Write one row a pill, with its box in px and as shares."""
    pills = export_rows(rows)
    shares = normalised(
        pills.select("x", "y", "w", "h").to_numpy(), pills.select("width", "height").to_numpy()
    )
    named = zip(("cx", "cy", "share_w", "share_h"), shares.T, strict=True)
    write_table(path, pills.with_columns(pl.Series(name, column) for name, column in named), {})


def yolo_texts(rows: pl.DataFrame, numbers: Sequence[int] | None = None) -> list[str]:
    """Return the label text of each row, in order; a photograph without a pill has an empty one.

    Args:
        rows: with `width, height, boxes, classes`.
        numbers: class index of each class id; None for one class, `pill`.
    """
    count = rows["boxes"].list.len().to_numpy()
    boxes = rows["boxes"].explode(empty_as_null=False).to_numpy().reshape(-1, 4)
    size = np.repeat(rows.select("width", "height").to_numpy().astype(np.float64), count, axis=0)
    shares = normalised(boxes, size)
    if numbers is None:
        index = np.zeros(len(boxes), dtype=np.int64)
    else:
        index = np.asarray(numbers)[rows["classes"].explode(empty_as_null=False).to_numpy()]
    lines = [
        f"{number} {x:.6f} {y:.6f} {w:.6f} {h:.6f}\n"
        for number, (x, y, w, h) in zip(index.tolist(), shares.tolist(), strict=True)
    ]
    ends = np.cumsum(count).tolist()
    return ["".join(lines[end - number : end]) for number, end in zip(count, ends, strict=True)]


def export_yolo(
    rows: pl.DataFrame,
    root: Path,
    names: Sequence[str],
    numbers: Sequence[int] | None,
    fold: int,
    place: Path | None = None,
) -> Path:
    """Write the data set, and return its `data.yaml`; below `.assay/yolo` made once for equal content.

    Args:
        rows: training and validation rows of the split, with `fold`.
        root: the repository's root, from which `uri` counts.
        names: of the classes, by index.
        numbers: class index of each class id; None for one class.
        fold: the one that validates.
        place: a new folder instead.

    Raises:
        SourceError: a box is untrue, a photograph is gone, none trains or none validates, or `place`
            holds something already.
    """
    texts = yolo_texts(rows, numbers)
    uris, folds = rows["uri"].to_list(), rows["fold"].to_list()
    key = content_digest([list(names), texts, uris, [each == fold for each in folds]])
    folder = place or root / YOLO / f"pills-{key}"
    ensure_new(place)
    _ensure_there([root / uri for uri in uris])
    validating = folds.count(fold)
    if validating in (0, len(rows)):
        raise SourceError(
            "training and validation rows", f"{validating} of {len(rows)} photographs validate",
            "some, not all: none may be trained on and validate", "dvc repro split@pills",
        )  # fmt: skip
    if (folder / NAME).exists():
        return folder / NAME
    aside = folder.with_name(f".{folder.name}.aside")
    shutil.rmtree(aside, ignore_errors=True)
    make_folders(aside)
    for number, (uri, own, text) in enumerate(zip(uris, folds, texts, strict=True)):
        # A name of its own: two parts may hold photographs of one file name.
        name, half = f"{number:07d}", "val" if own == fold else "train"
        (aside / half / "labels" / f"{name}.txt").write_text(text, encoding="ascii")
        (aside / half / "images" / f"{name}{Path(uri).suffix}").symlink_to(root / uri)
    write_json(aside / "classes.json", list(names))
    write_data_yaml(aside, folder, names)
    shutil.rmtree(folder, ignore_errors=True)
    aside.rename(folder)
    return folder / NAME


def ensure_new(place: Path | None) -> None:
    """Refuse a place that holds something already.

    Raises:
        SourceError: it does, or is a file.
    """
    if place is not None and place.exists() and (place.is_file() or any(place.iterdir())):
        raise SourceError(str(place), "is not empty", "a new folder", f"rm -r {place}, or another")


def _ensure_there(paths: Sequence[Path]) -> None:
    """Refuse links to nowhere: tools pass them over, and train on what is left."""
    gone = [path for path in paths if not path.is_file()]
    if gone:
        raise SourceError(
            str(gone[0]), f"{len(gone)} of {len(paths)} photographs are no longer there",
            "the files that were ingested: an export is links to them",
            "mount or move the source back; else dvc repro ingest@pills split@pills",
        )  # fmt: skip
