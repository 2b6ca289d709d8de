"""Reading the part of a data set that training may see."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import polars as pl

from assay.errors import AssayError
from assay.manifest.arrays import open_records
from assay.manifest.layout import Layout
from assay.manifest.originals import open_originals
from assay.manifest.records import LazyImages, labels_of
from assay.manifest.rows import Rows
from assay.manifest.storage import (
    IMAGE,
    OriginalStorage,
    PixelStorage,
    RecordStorage,
    column,
    read_storage,
)
from assay.manifest.table import read_table
from assay.runs.root import find_root

if TYPE_CHECKING:
    from assay.manifest.records import ImageBackend, Records
    from assay.manifest.storage import Storage


def read_trainval(name: str) -> tuple[Rows, dict[str, Any]]:
    """Return training and validation rows (column `fold` tells them apart) and the table's facts."""
    layout = Layout(name)
    table, facts = read_table(layout.trainval, f"split@{name}")
    return read_rows(layout.trainval_pixels, table, read_storage(facts, name, "split")), facts


def read_rows(path: Path, table: pl.DataFrame, storage: Storage, root: Path | None = None) -> Rows:
    """Return the rows of one part, from its file of images or records and its table.

    Of several views each is a slice of the one mapped file; nothing is read.
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
            f"dvc repro split@{storage.name}",
        )
    columns = {column: table[column].to_numpy() for column in table.columns}
    if isinstance(storage, PixelStorage):
        if len(storage.views) == 1:
            return Rows({IMAGE: stored}, columns)
        return Rows({view: stored[:, at] for at, view in enumerate(storage.views)}, columns)
    root = root or Path(os.environ.get("DVC_ROOT") or find_root(Path.cwd()))
    images = {
        view: LazyImages(_backend(root, storage, view, table, stored), np.arange(len(stored)))
        for view in storage.views
    }
    return Rows(cast("Any", images), {**columns, **labels_of(stored)})


def _backend(
    root: Path, storage: Storage, view: str, table: pl.DataFrame, stored: Records
) -> ImageBackend:
    if isinstance(storage, OriginalStorage):
        uris, digests = (table[column(view, name)].to_list() for name in ("uri", "digest"))
        return open_originals(root, storage, uris, digests)
    assert isinstance(storage, RecordStorage)
    return open_records(root, storage, stored)


def validation_fold(rows: Rows, fold: int) -> tuple[Rows, Rows]:
    """Cut the rows into training and validation by fold."""
    validates = rows.columns["fold"] == fold
    return rows.where(~validates), rows.where(validates)
