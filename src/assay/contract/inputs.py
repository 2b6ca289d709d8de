"""What a model is handed: images by view, and the columns that it reads, as its record states them.

A row's shape is stated: `[32, 32, 3]` of an image, `[]` of a number or a word, `[-1, 4]` of any number of
boxes. Lists travel in one array, nan behind the shorter ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from assay.errors import AssayError, nearest

if TYPE_CHECKING:
    from assay.contract.scored import Scored
    from assay.manifest.rows import Rows

Column = npt.NDArray[Any]
ANY = -1


def inputs_of(scored: Scored, rows: Rows) -> dict[str, Any]:
    """Return what `run.json` says of them under `model`: a row's shape by view, its form by column.

    Raises:
        AssayError: a column that it reads is none of the rows'.
    """
    for name in scored.reads:
        if name not in rows.columns:
            raise AssayError(
                f"{scored.name}.reads · {name}", f"no such column of {scored.data}",
                nearest(name, rows.columns), "edit it",
            )  # fmt: skip
    views = {view: list(images.shape[1:]) for view, images in rows.images.items()}
    return {"views": views, "reads": {name: form_of(rows.columns[name]) for name in scored.reads}}


def form_of(column: Column) -> dict[str, Any]:
    """Return a column's type and a row's shape.

    Raises:
        TypeError: it holds lists of words, or what is no column.
    """
    if column.dtype != object:
        kind = "str" if column.dtype.kind == "U" else column.dtype.name
        return {"dtype": kind, "shape": list(column.shape[1:])}
    if all(isinstance(each, str) for each in column):
        return {"dtype": "str", "shape": []}
    first = next((each[0] for each in column if len(each)), 0.0)
    return {"dtype": "float64", "shape": [ANY, *np.asarray(first, dtype=np.float64).shape]}


def pad_column(column: Column, form: Mapping[str, Any]) -> Column:
    """Return a column as one array of the stated form."""
    if ANY not in form["shape"]:
        return column.astype(form["dtype"])
    longest = max([1, *map(len, column)])
    table = np.full((len(column), longest, *form["shape"][1:]), np.nan, form["dtype"])
    for row, each in zip(table, column, strict=True):
        row[: len(each)] = np.array([*each]).reshape(len(each), *form["shape"][1:])
    return table


def unpad_column(table: Column, form: Mapping[str, Any]) -> Column:
    """Return a column as rows have it: of padded lists the items, of anything else what it is."""
    if ANY not in form["shape"]:
        return table
    lists = np.empty(len(table), dtype=object)
    for place, each in enumerate(table):
        there = ~np.isnan(each).reshape(len(each), -1).all(axis=1)
        lists[place] = each[: there.nonzero()[0].max(initial=-1) + 1]
    return lists
