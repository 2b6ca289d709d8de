"""Rows of sets whose table does not name its files: put together one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import polars as pl

from assay.errors import SourceError
from assay.manifest.published import faults, number, number_faults, read_published
from assay.manifest.workbook import read_workbook

if TYPE_CHECKING:
    from assay.manifest.source import Source

SCHEMA = {
    "sample_id": pl.String, "uri": pl.String, "item": pl.Int32, "group": pl.String,
    "subset": pl.String, "clinic": pl.String, "hb": pl.Float64, "line": pl.Int64, "fault": pl.String,
}  # fmt: skip


@dataclass(frozen=True)
class ImageRow:
    """One image of one person; `line` is 0 where no line of a table is about it.

    `name` is the file's, or what the row lacks where it has no file.
    """

    name: str
    uri: str | None
    group: str
    subset: str
    hb: float | None
    line: int
    fault: str | None
    clinic: str | None = None


def image_table(rows: Sequence[ImageRow], key: str) -> pl.DataFrame:
    """Return rows as a listing's table; `key` is put before ids, so that those of two sets differ."""
    told = [
        {**asdict(row), "sample_id": key + row.name, "item": 0, "group": key + row.group}
        for row in rows
    ]
    return pl.DataFrame(told, schema=SCHEMA)


def read_hb_lines(
    source: Source, name: str, columns: Sequence[str], hb: str
) -> pl.DataFrame | None:
    """Return the lines of a CSV or a workbook with `hb` as a number, or None where there is no such file.

    Args:
        source: where it lies.
        name: its file.
        columns: that must be there.
        hb: which of them is the Hb.

    Raises:
        SourceError: it is no table of these columns.
    """
    content = source.text(name)
    if content is None:
        return None
    read = read_workbook if name.lower().endswith(".xlsx") else read_published
    lines = read(content, source.uri(name), columns)
    return lines.with_columns(hb=number(hb), fault=faults(name, number_faults(hb)))


def ensure_one(base: str, what: str, tables: Sequence[str]) -> None:
    """Refuse several tables of one set.

    Raises:
        SourceError: with their names.
    """
    if len(tables) > 1:
        raise SourceError(
            base, f"{len(tables)} tables of {what}: {' and '.join(tables)}", "one of them",
            "move the others out of the source: nobody knows which is meant",
        )  # fmt: skip
