"""Eyes-defy-anemia as its authors publish it: a workbook a country, and a folder a person.

`India/India.xlsx` and `Italy/Italy.xlsx` (in some copies beside the folders) have the columns `Number,
Hgb, Gender, Age, Note`, Hgb in g/dL. `India/<Number>/` holds the photograph `<any>.jpg` and what was cut
out of it: `<any>_palpebral.png`, `_forniceal.png`, `_forniceal_palpebral.png`; six people of Italy have
no fornix. IEEE DataPort, doi 10.21227/t5s2-4j73 (Dimauro et al. 2023). What its copies are like was read
from programs that read them (github.com/manivafapour/eyes-defy-anemia, github.com/Bhagyansh07/hemolux):
15 rows of Italy write `15,1` as text, row 93 has `_` for its Hgb and is withdrawn; India/7 spells
`_papebral`, Italy/95 `_palplebral`; India/8 has files twice, as `…(1).png`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import polars as pl

from assay.errors import SourceError
from assay.systems.hemoglobin.data.rows import ImageRow, ensure_one, image_table, read_hb_lines

if TYPE_CHECKING:
    from assay.manifest.source import Source

COUNTRIES = ("India", "Italy")
COLUMNS = ("Number", "Hgb")
COPY = re.compile(r" ?\(\d+\)$")  # what a browser makes of a second download
PHOTOGRAPH, PALPEBRAL = "photograph", "palpebral"  # what every person has
SPELT = "palpebral|papebral|palplebral"  # as published
VIEWS = {  # what the name of a cut-out ends with
    "forniceal_palpebral": re.compile(rf"_forniceal_({SPELT})$"),
    "forniceal": re.compile(r"_forniceal$"),
    PALPEBRAL: re.compile(rf"_({SPELT})$"),
}
Line = Mapping[str, Any]


def read_countries(source: Source, key: str) -> tuple[pl.DataFrame, list[str]] | None:
    """Return the samples and the workbooks, or None where the source has none, or cannot list its files.

    Args:
        source: where they lie.
        key: put before ids (`f1:India/12`).

    Raises:
        SourceError: a country has two workbooks, or none beside one that has, or one is no such table.
    """
    files = source.names() or []
    rows: list[ImageRow] = []
    tables: list[str] = []
    lacking: list[tuple[str, str]] = []
    for country in COUNTRIES:
        name = f"{country}.xlsx"
        books = [each for each in files if PurePosixPath(each).name.lower() == name.lower()]
        books = [each for each in books if each.count("/") <= 2]
        ensure_one(source.base, country, books)
        for book in books:
            lines = read_hb_lines(source, book, COLUMNS, "Hgb")
            if lines is None:
                raise _without(source, book, name)  # a link to nowhere
            beside = str(PurePosixPath(book).parent)
            top = (
                beside
                if PurePosixPath(beside).name == country
                else str(PurePosixPath(beside) / country)
            )
            mine = [each for each in files if each.startswith(f"{top}/") and each != book]
            rows += _people(lines, book, country, _folders(mine, top))
            tables.append(book)
        people = [each for each in files if re.search(rf"(^|/){country}/\d+/[^/]+$", each)]
        if people and not books:
            lacking.append((people[0], name))
    if tables and lacking:
        raise _without(source, *lacking[0])
    return (image_table(rows, key), tables) if tables else None


def _without(source: Source, found: str, book: str) -> SourceError:
    return SourceError(
        source.base, f"{found}, and no workbook {book} to be read", book,
        "lay it beside the people's folders, or move the country out of the source",
    )  # fmt: skip


def view_of(name: str) -> str | None:
    """Return what a file of a person shows, or None where its name does not say."""
    path = PurePosixPath(name.lower())
    stem = COPY.sub("", path.stem)
    found = [view for view, ending in VIEWS.items() if ending.search(stem)]
    if path.suffix == ".png":
        return found[0] if found else None
    return PHOTOGRAPH if path.suffix in {".jpg", ".jpeg"} and not found else None


def _folders(files: Sequence[str], top: str) -> dict[str, list[str]]:
    """Return the files of each person by the folder's number; of no person by the name as it is."""
    folders: dict[str, list[str]] = {}
    for name in files:
        folder = name.removeprefix(f"{top}/").rpartition("/")[0]
        folders.setdefault(str(int(folder)) if folder.isdecimal() else folder, []).append(name)
    return folders


def _people(
    lines: pl.DataFrame, book: str, country: str, folders: dict[str, list[str]]
) -> Iterator[ImageRow]:
    """Yield the images of each line of a workbook, then those that no line is about."""
    left, name = dict(folders), PurePosixPath(book).name
    for line in lines.iter_rows(named=True):
        number, fault = line["Number"] or "", line["fault"]
        if not number.isdecimal():
            fault = (
                f"{name} line {line['line']}: Number is {line['Number']!r}, expected a whole number"
            )
        else:
            number = str(int(number))
        left.pop(number, None)
        person = f"{country}/{number}"
        yield from _images(folders.get(number, []), person, line, fault)
    for folder, files in left.items():
        for file in files:
            fault = f"no line of {name} is about {country}/{folder}".rstrip("/")
            yield ImageRow(file, file, f"{country}/{folder}", country, None, 0, fault)


def _images(files: Sequence[str], person: str, line: Line, fault: str | None) -> Iterator[ImageRow]:
    """Yield a row a file of a person, and one for each view that every person has and this one lacks."""
    country = person.partition("/")[0]
    shown = {file: view_of(file) for file in files}
    for file, view in shown.items():
        own = fault or _doubt(file, view, shown)
        name = f"{person}/{PurePosixPath(file).name}"
        yield ImageRow(name, file, person, country, line["hb"], line["line"], own)
    for view in (PHOTOGRAPH, PALPEBRAL):
        if view not in shown.values():
            lacks = fault or f"no {view} in {person}/"
            name = f"{person}/{view}#{line['line']}"
            yield ImageRow(name, None, person, country, line["hb"], line["line"], lacks)


def _doubt(file: str, view: str | None, shown: Mapping[str, str | None]) -> str | None:
    """Return why a file is not taken as its person's view, or None.

    Of files of one view the one that is no copy by its name is taken; of two that are none, neither.
    """
    if view is None:
        endings = ", ".join(f"_{each}.png" for each in VIEWS)
        return f"the file's name says no view, expected .jpg, {endings}"
    same = [each for each, its in shown.items() if its == view]
    originals = [each for each in same if not COPY.search(PurePosixPath(each).stem)]
    if len(originals) == 1 and file not in originals:
        return f"a copy by its name: {originals[0]} is taken"
    if len(originals or same) > 1:
        return f"{len(same)} files of one view, {view}: {', '.join(same)}"
    return None
