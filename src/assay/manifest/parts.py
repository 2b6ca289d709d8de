"""Reading the part of a data set that training may see."""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.errors import AssayError
from assay.manifest.layout import Layout
from assay.manifest.rows import Rows
from assay.manifest.table import read_table


def read_trainval(name: str) -> tuple[Rows, dict[str, Any]]:
    """Return training and validation rows (column `fold` tells them apart) and the table's facts."""
    layout = Layout(name)
    table, facts = read_table(layout.trainval, f"split@{name}")
    images = np.load(layout.trainval_pixels, mmap_mode="r")
    if len(images) != len(table):
        raise AssayError(
            str(layout.trainval_pixels),
            f"{len(images)} images",
            f"{len(table)}, one a row",
            f"dvc repro split@{name}",
        )
    return Rows(images, {column: table[column].to_numpy() for column in table.columns}), facts


def validation_fold(rows: Rows, fold: int) -> tuple[Rows, Rows]:
    """Cut the rows into training and validation by fold."""
    validates = rows.columns["fold"] == fold
    return rows.where(~validates), rows.where(validates)
