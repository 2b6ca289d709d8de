"""Published tables: CSV as laboratories export it; a fault of a line never loses another line."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from itertools import repeat
from pathlib import PurePosixPath

import polars as pl

from assay.errors import SourceError
from assay.manifest.encoding import decoded
from assay.manifest.spelling import stripped

SEPARATORS = (",", ";", "\t")
DECLARED = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)  # by Excel, in the first line
THOUSANDS = r"^[+-]?[1-9]\d{0,2}[.,]\d{3}$"  # 1.234 or 1,234: it may be a thousand, and a decimal
Row = list[str | int | bool | None]  # the columns' values, line, fault


def read_published(content: bytes, where: str, columns: Sequence[str]) -> pl.DataFrame:
    """Return the lines of a CSV as text; each line is one row, whatever its quotation marks say.

    Comma, semicolon and tab are told apart by the header, which must name the columns, or by a first
    line `sep=…`; a byte order mark is dropped. Conversion is the system's: a wrong type is a fault of
    its line, not of the file.

    Args:
        content: the file.
        where: its name, for errors.
        columns: the columns that must be there; others are left out.

    Returns:
        `columns` as stripped text (null where empty), `line` (of the file, from 1), `fault`: null, or
        `<file> line <n>: …`, and `comma`: whether the file writes decimals with one.

    Raises:
        SourceError: the file is empty, is no text in UTF-8, lacks a column or has it twice.
    """
    text = decoded(content, where)
    lines = list(enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1))
    declared = DECLARED.fullmatch(lines[0][1])
    full = [each for each in lines[bool(declared) :] if not _is_blank(each[1])]
    if not full:
        raise SourceError(where, "an empty file", "a header and at least one line")
    separator, header = _header(full[0][1], declared and declared[1], where, columns)
    places, wanted = positions(header, where, columns), list(columns)
    if len(full) == 1:
        raise SourceError(where, "a header and no line below it", "at least one line")
    name, width, rows = PurePosixPath(where).name, len(header), list[Row]()
    parsed = _parsed([each for _, each in full[1:]], separator)
    for (line, _), (fields, said) in zip(full[1:], parsed, strict=True):
        values = [stripped(fields[place]) if place < len(fields) else "" for place in places]
        fault = said
        if len(fields) != width and not said and _is_other(fields, width):
            fault = f"{len(fields)} fields, expected {width}"
        elif values == wanted:
            fault = "the header again"
        rows.append([*[value or None for value in values], line, told(name, line, fault)])
    return framed(rows, columns, comma=separator == ";")


def framed(rows: Iterable[Row], columns: Sequence[str], *, comma: bool) -> pl.DataFrame:
    """Return rows (values, line, fault) as a table's frame."""
    schema = dict.fromkeys(columns, pl.String) | {"line": pl.Int64, "fault": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(comma=pl.lit(comma))


def told(name: str, line: int, fault: str) -> str | None:
    """Return the fault of a line in words, or None."""
    return f"{name} line {line}: {fault}" if fault else None


def positions(header: Sequence[str], where: str, columns: Sequence[str]) -> list[int]:
    """Return where the columns stand in a header.

    Raises:
        SourceError: one is not there, or is there twice.
    """
    missing = ", ".join(column for column in columns if column not in header)
    if missing:
        raise SourceError(
            where, f"no column {missing} (has {', '.join(header)})", ",".join(columns),
            "rename the columns in the table's first line",
        )  # fmt: skip
    twice = [column for column in columns if header.count(column) > 1]
    if twice:
        raise SourceError(
            where, f"{header.count(twice[0])} columns {', '.join(twice)} (has {', '.join(header)})",
            f"one column {', '.join(twice)}", "rename or delete the one that is not meant",
        )  # fmt: skip
    return [header.index(column) for column in columns]


def _is_blank(line: str) -> bool:
    return not line.strip(" \t,;\ufeff\x1a")  # \x1a: how DOS ended a text


def _header(
    line: str, declared: str | None, where: str, columns: Sequence[str]
) -> tuple[str, list[str]]:
    """Return the separator and the names between it, those empty at the end left out."""
    headers = {}
    for separator in [declared] if declared else SEPARATORS:
        names = [stripped(name) for name in _fields(line, separator)[0]]
        while names and not names[-1]:
            names.pop()
        headers[separator] = names
    for separator, header in headers.items():
        if all(column in header for column in columns):
            return separator, header
    widest = max(headers.values(), key=len)
    positions(widest, where, columns)
    raise AssertionError


def _is_other(fields: Sequence[str], width: int) -> bool:
    """Whether a line has another number of fields; those empty at its end are none."""
    return len(fields) < width or any(map(stripped, fields[width:]))


def _parsed(lines: Sequence[str], separator: str) -> Iterable[tuple[list[str], str]]:
    """Return the fields of each line, and its fault; no line is part of another."""
    if not any("\0" in line or line.count('"') % 2 for line in lines):
        try:
            fields = list(csv.reader(lines, delimiter=separator, strict=True))
        except csv.Error:
            fields = []
        if len(fields) == len(lines):  # each of one line, then
            return zip(fields, repeat(""))
    return (_fields(line, separator) for line in lines)


def _fields(line: str, separator: str) -> tuple[list[str], str]:
    if line.count('"') % 2:
        return [], "a quotation mark that the line does not close (a field may not span lines)"
    fault = "a NUL byte" if "\0" in line else ""
    try:
        return next(
            csv.reader([line.replace("\0", "\ufffd")], delimiter=separator, strict=True)
        ), fault
    except csv.Error as said:
        return [], f"its quotation marks: {said}"


def number(column: str) -> pl.Expr:
    """Return a text column as float64, null where it is no finite number.

    A decimal comma is one where the file says so (its separator is `;`); where the column has points
    too, `1.234` and `1,234` are no numbers, since nobody knows whether they are thousands.
    """
    text = pl.col(column)
    decimal = (
        pl.when("comma")
        .then(text.str.replace(r"^([+-]?[0-9]+),([0-9]+)$", "$1.$2"))
        .otherwise(text)
    )
    value = decimal.cast(pl.Float64, strict=False)
    return pl.when(value.is_finite() & ~_is_unclear(column)).then(value)


def number_faults(column: str) -> list[tuple[pl.Expr, pl.Expr]]:
    """Return what `faults` tells of a column that must be a number."""
    text, value = pl.col(column), number(column)
    quoted = pl.lit("'") + text + pl.lit("'")
    comma = value.is_null() & ~pl.col("comma") & text.str.contains(r"^[+-]?\d+,\d+$")
    hints = [pl.when(text.str.contains(kind)).then(pl.lit(f" ({hint})")) for kind, hint in HINTS]
    hint = pl.coalesce(*hints, pl.lit(""))
    both = pl.lit(f"{column} is a thousand or a decimal, in a column with points and commas: ")
    return [
        (text.is_null(), pl.lit(f"{column} is empty")),
        (_is_unclear(column), both + quoted),
        (comma, pl.lit(f"{column} has a decimal comma: ") + quoted),
        (value.is_null(), pl.lit(f"{column} is not a number: ") + quoted + hint),
    ]


def faults(where: str, found: Sequence[tuple[pl.Expr, pl.Expr]]) -> pl.Expr:
    """Return the first fault of each line, in words: `(condition, text)` in order."""
    name = PurePosixPath(where).name
    prefix = pl.lit(f"{name} line ") + pl.col("line").cast(pl.String) + pl.lit(": ")
    texts = [pl.when(condition).then(prefix + text) for condition, text in found]
    return pl.coalesce(pl.col("fault"), *texts)


def _is_unclear(column: str) -> pl.Expr:
    text = pl.col(column)
    both = text.str.contains(r"^[+-]?\d+,\d+$").any() & text.str.contains(r"^[+-]?\d+\.\d+$").any()
    return pl.col("comma") & both & text.str.contains(THOUSANDS)


# What else stands where a number should: pattern → what it seems to be.
HINTS = (
    (r"^[+-]?[0-9][0-9.,' _]*$", "thousands"),
    (r"^[+-]?\p{Nd}[\p{Nd}.,]*$", "digits of another script"),
    (r"^[<>≤≥~≈±]", "a bound"),
    (r"%$", "a percentage"),
    (r"^#", "a spreadsheet's error"),
    (r"^\d{1,4}([-/.])\d{1,2}([-/.]\d{1,4})?$|^\d{1,2}[-. ]*\p{L}{3,9}\.?$|^\p{L}{3,9}[-. ]*\d{1,4}$",
     "a date, as spreadsheets make of numbers"),
    (r"^\d{1,2}:\d{2}", "a time, as spreadsheets make of numbers"),
    (r"^0[xX]", "hexadecimal"),
    (r"^[\d.,]*\d\s*[\p{L}µ]", "a number and a unit"),
)  # fmt: skip
