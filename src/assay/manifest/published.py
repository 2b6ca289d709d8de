"""Published tables: CSV as laboratories export it; a fault of a line never loses another line."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import PurePosixPath

import polars as pl

from assay.errors import SourceError

SEPARATORS = (",", ";", "\t")


def read_published(content: bytes, where: str, columns: Sequence[str]) -> pl.DataFrame:
    """Return the lines of a CSV as text, with `line` and `fault`.

    Comma, semicolon and tab are told apart by the header, which must name the columns; a byte order
    mark is dropped. Conversion is the system's: a wrong type is a fault of its line, not of the file.

    Args:
        content: the file.
        where: its name, for errors.
        columns: the columns that must be there; others are left out.

    Returns:
        `columns` as stripped text (null where empty), `line` (1 is the header), and `fault`: null, or
        `<file> line <n>: …`.

    Raises:
        SourceError: the file is empty, is not UTF-8, or lacks a column.
    """
    text = _decoded(content, where)
    separator, header = _header(text, where, columns)
    places = [header.index(column) for column in columns]
    reader = csv.reader(io.StringIO(text), delimiter=separator)
    rows: list[list[str | int | None]] = []
    name = PurePosixPath(where).name
    try:
        next(reader)
        for fields in reader:
            if not any(field.strip() for field in fields):
                continue  # a blank line
            fault = None
            if len(fields) != len(header):
                fault = (
                    f"{name} line {reader.line_num}: {len(fields)} fields, expected {len(header)}"
                )
            values = [fields[place].strip() if place < len(fields) else "" for place in places]
            rows.append([*(value or None for value in values), reader.line_num, fault])
    except csv.Error as fault:
        raise SourceError(
            where, f"line {reader.line_num}: {fault}", "a CSV", "export it again"
        ) from None
    schema = dict.fromkeys(columns, pl.String) | {"line": pl.Int64, "fault": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def number(column: str) -> pl.Expr:
    """Return a text column as float64, null where it is no finite number."""
    value = pl.col(column).cast(pl.Float64, strict=False)
    return pl.when(value.is_finite()).then(value)


def faults(where: str, found: Sequence[tuple[pl.Expr, pl.Expr]]) -> pl.Expr:
    """Return the first fault of each line, in words: `(condition, text)` in order."""
    name = PurePosixPath(where).name
    prefix = pl.lit(f"{name} line ") + pl.col("line").cast(pl.String) + pl.lit(": ")
    texts = [pl.when(condition).then(prefix + text) for condition, text in found]
    return pl.coalesce(pl.col("fault"), *texts)


def _decoded(content: bytes, where: str) -> str:
    if not content.strip():
        raise SourceError(where, "an empty file", "a header and at least one line")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise SourceError(
            where, f"not UTF-8: byte {fault.start}", "a CSV in UTF-8", "export it again as UTF-8"
        ) from None


def _header(text: str, where: str, columns: Sequence[str]) -> tuple[str, list[str]]:
    first = text.partition("\n")[0]
    headers = {
        each: [name.strip() for name in next(csv.reader([first], delimiter=each), [])]
        for each in SEPARATORS
    }
    for separator, header in headers.items():
        if all(column in header for column in columns):
            return separator, header
    widest = max(headers.values(), key=len)
    missing = ", ".join(column for column in columns if column not in widest)
    raise SourceError(
        where,
        f"no column {missing} (has {', '.join(widest)})",
        ",".join(columns),
        "rename the columns in the CSV's first line",
    )
