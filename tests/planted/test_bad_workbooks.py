"""The section "Workbooks" of docs/bad-input.md: each line is planted, and its promise seen."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from collections.abc import Callable

import openpyxl
import polars as pl
import pytest
from tests import promises
from tests.bad_tables import COLUMNS

from assay.errors import SourceError
from assay.manifest.published import number
from assay.manifest.workbook import read_workbook


def book(change: Callable[[openpyxl.Workbook], None] = lambda book: None) -> bytes:
    made = openpyxl.Workbook()
    sheet = made.active
    sheet.append(COLUMNS)
    for place, name in enumerate("abcd"):
        sheet.append([f"{name}.png", float(f"9.{place}"), place])
    change(made)
    stream = io.BytesIO()
    made.save(stream)
    return stream.getvalue()


def sheet(cell: str, content: object, form: str = "General") -> Callable[[openpyxl.Workbook], None]:
    def change(book: openpyxl.Workbook) -> None:
        book.active[cell] = content
        book.active[cell].number_format = form

    return change


def second_sheet(book: openpyxl.Workbook, *header: str) -> None:
    added = book.create_sheet("more")
    added.append(header)
    added.append(["b.png", 1, 2])


def header_again(book: openpyxl.Workbook) -> None:
    book.active.insert_rows(3)
    for place, name in enumerate(COLUMNS, 1):
        book.active.cell(3, place, name)


def blank_rows(book: openpyxl.Workbook) -> None:
    book.active.insert_rows(1, 2)
    book.active.insert_rows(5)


def too_small(content: bytes) -> bytes:
    """State that the sheet has one cell, as some programs do."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b'ref="A1:C5"', b'ref="A1"'))
    return changed.getvalue()


BOOKS: dict[str, bytes] = {
    "no workbook": b"a,b,c",
    "old or locked workbook": b"\xd0\xcf\x11\xe0\xa1\xb1",
    "workbook cut off": book()[:2000],
    "no sheet with the columns": book(sheet("B1", "hb")),
    "two sheets with the columns": book(lambda book: second_sheet(book, *COLUMNS)),
    "column of a sheet twice": book(sheet("D1", "hb_value")),
    "sheet without rows": book(lambda book: book.active.delete_rows(2, 9)),
    "date in a cell": book(sheet("B3", dt.date(2024, 5, 9), "yyyy-mm-dd")),
    "error in a cell": book(sheet("B3", "#N/A")),
    "percentage in a cell": book(sheet("B3", 0.45, "0.0%")),
    "formula without a value": book(sheet("B3", "=9+0.1")),
    "number of too many digits": book(sheet("C3", 12345678901234567)),
    "true in a cell": book(sheet("B3", content=True)),
    "header of the sheet again": book(header_again),
    "whole number as a decimal": book(sheet("C3", 1.0)),
    "number as text": book(sheet("B3", "9.1\u00a0")),
    "other sheets": book(lambda book: second_sheet(book, "a", "b", "c")),
    "blank rows of a sheet": book(blank_rows),
    "wrong dimension": too_small(book()),
    "notes beside the table": book(sheet("F3", "measured twice")),
}  # fmt: skip


def test_every_line_is_planted() -> None:
    assert set(promises.promised("Workbooks")) == set(BOOKS)


@pytest.mark.parametrize("fault", BOOKS)
def test_a_workbook_is_read_as_it_is_stored(fault: str) -> None:
    outcome, told = promises.promised("Workbooks")[fault]
    if outcome == "refused":
        with pytest.raises(SourceError, match=r"set/book\.xlsx") as refused:
            read_workbook(BOOKS[fault], "set/book.xlsx", COLUMNS)
        assert told in refused.value.found
        return
    found = read_workbook(BOOKS[fault], "set/book.xlsx", COLUMNS)
    sound = found.filter(pl.col("fault").is_null(), number("hb_value").is_not_null())
    whole = [
        ("a.png", "9", "0"),
        ("b.png", "9.1", "1"),
        ("c.png", "9.2", "2"),
        ("d.png", "9.3", "3"),
    ]
    lost = whole[1:2] if outcome == "row" and "again" not in fault else []
    assert sound.select(COLUMNS).rows() == [row for row in whole if row not in lost]
    said = [row["fault"] or row["hb_value"] for row in found.to_dicts()]
    assert outcome == "read" or any(told in each for each in said)
