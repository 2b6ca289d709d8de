"""Reading the part of a data set that training may see."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import polars as pl

from assay.errors import AssayError
from assay.manifest.arrays import shelf
from assay.manifest.layout import Layout
from assay.manifest.originals import squares
from assay.manifest.records import LazyImages, labels_of
from assay.manifest.rows import Rows
from assay.manifest.table import read_table
from assay.runs.root import find_root

if TYPE_CHECKING:
    from assay.manifest.records import Shelf


def read_trainval(name: str) -> tuple[Rows, dict[str, Any]]:
    """Return training and validation rows (column `fold` tells them apart) and the table's facts."""
    layout = Layout(name)
    table, facts = read_table(layout.trainval, f"split@{name}")
    return read_rows(layout.trainval_pixels, table, facts, name), facts


def read_rows(
    path: Path, table: pl.DataFrame, facts: Mapping[str, Any], name: str, root: Path | None = None
) -> Rows:
    """Return the rows of one part, from its file of images or records and its table.

    Records may point at raw parts or originals, below `root`: else that of the repository that was asked.

    Raises:
        AssayError: the two do not have equally many, or records point at parts that have changed.
    """
    stored = np.load(path, mmap_mode="r" if len(table) else None)
    if len(stored) != len(table):
        raise AssayError(
            str(path),
            f"{len(stored)} images",
            f"{len(table)}, one a row",
            f"dvc repro split@{name}",
        )
    columns = {column: table[column].to_numpy() for column in table.columns}
    if stored.dtype.names is None:
        return Rows(stored, columns)
    root = root or Path(os.environ.get("DVC_ROOT") or find_root(Path.cwd()))
    if "original" in stored.dtype.names:
        uris, digests = (table[each].to_list() for each in ("uri", "digest"))
        lies: Shelf = squares(root, facts, uris, digests, name)
    else:
        lies = shelf(root, facts, stored, name)
    images = LazyImages(lies, np.arange(len(stored)))
    return Rows(cast("Any", images), {**columns, **labels_of(stored)})


def validation_fold(rows: Rows, fold: int) -> tuple[Rows, Rows]:
    """Cut the rows into training and validation by fold."""
    validates = rows.columns["fold"] == fold
    return rows.where(~validates), rows.where(validates)
