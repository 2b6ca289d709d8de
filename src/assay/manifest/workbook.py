"""Published workbooks: the one sheet of an .xlsx that has the columns, as exactly as it is stored."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import PurePosixPath
from typing import Any

import polars as pl

from assay.errors import SourceError
from assay.manifest.published import Row, framed, positions, told
from assay.manifest.spelling import stripped

DIGITS = 15  # of a number, that a spreadsheet keeps


def read_workbook(content: bytes, where: str, columns: Sequence[str]) -> pl.DataFrame:
    """Return the rows of a workbook as text, in the frame of `read_published`.

    An integer is `3`, a number the shortest text that means it. A date, an error, a percentage, and a
    formula whose value was never stored are faults of their row. Cells that only look otherwise (hidden,
    rounded, `007` by its format) are read as they are stored.

    Args:
        content: the file.
        where: its name, for errors.
        columns: the columns that must be there, named in the sheet's first row that is not empty.

    Returns:
        `columns` as stripped text (null where empty), `line` (the sheet's row, from 1), `fault`, `comma`.

    Raises:
        SourceError: it is no workbook, or no sheet, or several, have the columns.
    """
    sheets = _sheets(content, where, values=False)
    if not sheets:
        raise SourceError(where, "an empty workbook", "a header and at least one row")
    computed = any(
        _is_formula(cell) for rows in sheets.values() for each in rows.values() for cell in each
    )
    values = _sheets(content, where, values=True) if computed else sheets
    headers = {title: _names(next(iter(rows.values()))) for title, rows in sheets.items()}
    title = _one(headers, where, columns)
    places = positions(headers[title], f"{where}, sheet {title}", columns)
    if len(sheets[title]) == 1:
        raise SourceError(where, "a header and no row below it", "at least one row")
    name, rows = PurePosixPath(where).name, list[Row]()
    for line in list(sheets[title])[1:]:
        written, stored = sheets[title][line], values.get(title, {}).get(line, ())
        texts, fault = list[str | None](), ""
        for column, place in zip(columns, places, strict=True):
            text, said = _text(_at(stored, place), is_formula=_is_formula(_at(written, place)))
            texts.append(text or None)
            fault = fault or (f"{column} is {said}" if said else "")
        if texts == list(columns):
            fault = "the header again"
        if fault or any(texts):
            rows.append([*texts, line, told(name, line, fault)])
    return framed(rows, columns, comma=False)


def _sheets(content: bytes, where: str, *, values: bool) -> dict[str, dict[int, Sequence[Any]]]:
    """Return sheet → number of a row → its cells, of rows that hold any; formulas, or their values."""
    import openpyxl

    try:
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=values)
        with closing(book):
            found = {sheet.title: dict(_rows(sheet)) for sheet in book.worksheets}
    except Exception as fault:  # noqa: BLE001 - openpyxl has no error of its own for a damaged file
        locked = content.startswith(b"\xd0\xcf\x11\xe0")
        what = "an old (.xls) or locked workbook" if locked else f"no workbook: {fault}"
        raise SourceError(
            where, what, "an .xlsx", "open it in a spreadsheet and save it as .xlsx"
        ) from None
    return {title: rows for title, rows in found.items() if rows}


def _rows(sheet: Any) -> Iterator[tuple[int, Sequence[Any]]]:
    sheet.reset_dimensions()  # what some programs state is too small, and rows would be cut
    for line, cells in enumerate(sheet.iter_rows(), 1):
        if any(cell.value is not None for cell in cells):
            yield line, cells


def _one(headers: dict[str, list[str]], where: str, columns: Sequence[str]) -> str:
    """Return the one sheet that has the columns; of none, the widest, which is then refused."""
    fitting = [title for title, names in headers.items() if set(columns) <= set(names)]
    if len(fitting) > 1:
        raise SourceError(
            where, f"{len(fitting)} sheets with these columns: {', '.join(fitting)}", "one",
            "delete the others, or save each as a table of its own",
        )  # fmt: skip
    return fitting[0] if fitting else max(headers, key=lambda each: len(headers[each]))


def _at(cells: Sequence[Any], place: int) -> Any:
    return cells[place] if place < len(cells) else None


def _is_formula(cell: Any) -> bool:
    return cell is not None and cell.data_type == "f"


def _names(cells: Sequence[Any]) -> list[str]:
    return [stripped(str(cell.value)) if cell.value is not None else "" for cell in cells]


def _text(cell: Any, *, is_formula: bool) -> tuple[str, str]:
    """Return a stored cell as text, and its fault in words."""
    value = None if cell is None else cell.value
    if value is None:
        return (
            "",
            "a formula whose value was not stored; save it by a spreadsheet" if is_formula else "",
        )
    if isinstance(value, (dt.date, dt.time, dt.timedelta)):
        return "", f"a date ({value}), as spreadsheets make of numbers"
    if cell.data_type == "e":
        return "", f"an error ({value})"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _number(value, str(cell.number_format or ""))
    return stripped(str(value)), ""


def _number(value: float, shown: str) -> tuple[str, str]:
    if "%" in shown:
        return "", f"a percentage ({value * 100:g} %)"
    if abs(value) >= 10**DIGITS:
        return "", f"a number of more than {DIGITS} digits ({value:g}), the rest of which are lost"
    return str(int(value)) if value == int(value) else repr(value), ""
