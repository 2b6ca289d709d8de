"""CP-AnemiC as its authors publish it: one sheet, and the regions in a folder a finding.

`Anemia_Data_Collection_Sheet.xlsx` (or `.csv`) has one row an image, which is
`{Anemic|Non-anemic}/<IMAGE_ID>.png` by its REMARK. Severity follows from the Hb: from 11 g/dL Non-Anemic,
from 10 Mild, from 7 Moderate, below Severe (WHO, children of 6–59 months). All 710 published rows keep to
it, so a row that does not has a fault in one of the three fields, and nobody knows in which.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import polars as pl

from assay.manifest.paths import find_table
from assay.manifest.stems import by_stem, several
from assay.systems.hemoglobin.data.rows import ImageRow, ensure_one, image_table, read_hb_lines

if TYPE_CHECKING:
    from assay.manifest.source import Source

SHEET = "Anemia_Data_Collection_Sheet"
COLUMNS = ("IMAGE_ID", "HB_LEVEL", "Severity", "REMARK", "HOSPITAL")
FOLDERS = {"anemic": "Anemic", "non-anemic": "Non-anemic"}  # by REMARK, in lower case
SEVERITIES = {
    "non-anemic": 11.0,
    "mild": 10.0,
    "moderate": 7.0,
    "severe": float("-inf"),
}  # g/dL, from
Line = Mapping[str, Any]
Files = Mapping[str, Sequence[str]]  # by their names without extension


def read_sheet(source: Source, key: str) -> tuple[pl.DataFrame, str] | None:
    """Return the samples and the sheet's name, or None where the source has no such sheet.

    Args:
        source: where the sheet lies.
        key: put before ids (`f2:Image_001`).

    Raises:
        SourceError: there are two sheets, or one is no table of this layout.
    """
    places = [find_table(source, f"{SHEET}{ending}") for ending in (".csv", ".xlsx")]
    read = {place: read_hb_lines(source, place, COLUMNS, "HB_LEVEL") for place in places if place}
    sheets = {place: lines for place, lines in read.items() if lines is not None}
    ensure_one(source.base, "CP-AnemiC", list(sheets))
    for place, lines in sheets.items():
        name = PurePosixPath(place).name
        folder = place.removesuffix(name)
        files = [each for each in source.names() or [] if each.startswith(folder)]
        return image_table(list(_rows(lines, name, folder, by_stem(files, folder))), key), place
    return None


def held_against(sheet: pl.DataFrame, place: str, other: pl.DataFrame, table: str) -> pl.DataFrame:
    """Return the sheet's rows beside another table of the same images: where they differ, none is used.

    Args:
        sheet: its samples.
        place: its file.
        other: the samples of the other table.
        table: its file.
    """
    name, table = PurePosixPath(place).name, PurePosixPath(table).name
    theirs = other.group_by("sample_id").agg(pl.col("hb").first().alias("other"), known=pl.lit(1))
    both = sheet.join(theirs, on="sample_id", how="left", maintain_order="left")
    said = [pl.col(hb).cast(pl.String).fill_null("no number") for hb in ("hb", "other")]
    fault = (
        pl.when(pl.col("known").is_null())
        .then(pl.lit(f"in {name}, not in {table}"))
        .when(~pl.col("hb").eq_missing(pl.col("other")))
        .then(pl.format(f"{name} says {{}}, {table} {{}}", *said))
    )
    kept = both.with_columns(fault=pl.coalesce("fault", fault)).drop("other", "known")
    alone = other.join(sheet, on="sample_id", how="anti", maintain_order="left")
    missing = pl.lit(f"in {table}, not in {name}")
    alone = alone.with_columns(fault=pl.coalesce("fault", missing))
    return pl.concat([kept, alone], how="diagonal_relaxed")


def _rows(lines: pl.DataFrame, name: str, folder: str, stems: Files) -> Iterator[ImageRow]:
    """Yield a row a line, then one an image that no line is about."""
    left = {stem: files for stem, files in stems.items() if _is_image(stem)}
    for line in lines.iter_rows(named=True):
        image = (line["IMAGE_ID"] or "").removesuffix(".png")
        remark = FOLDERS.get((line["REMARK"] or "").lower())
        place, misplaced = _place(image, remark, stems)
        left.pop(place, None)
        uri = stems.get(place, [f"{folder}{place}.png"])[0]
        own = "" if image else "IMAGE_ID is empty"
        own = own or _contradiction(line, remark) or misplaced
        fault = line["fault"] or (f"{name} line {line['line']}: {own}" if own else None)
        file, clinic = uri.removeprefix(folder), line["HOSPITAL"]
        yield ImageRow(file, uri, image, SHEET, line["hb"], line["line"], fault, clinic)
    for stem, files in left.items():
        for uri in files:
            fault = f"no line of {name} is about this image"
            file, image = uri.removeprefix(folder), stem.partition("/")[2]
            yield ImageRow(file, uri, image, SHEET, None, 0, fault)


def _is_image(stem: str) -> bool:
    folder, _, image = stem.partition("/")
    return folder in FOLDERS.values() and bool(image)


def _place(image: str, folder: str | None, stems: Files) -> tuple[str, str]:
    """Return the image's name without extension, and what is wrong with where it lies."""
    meant = f"{folder or FOLDERS['anemic']}/{image}"
    lies = [place for each in FOLDERS.values() if (place := f"{each}/{image}") in stems]
    if meant in lies or not lies:
        return meant, several(list(stems.get(meant, ())))
    return lies[0], f"the image lies in {lies[0].partition('/')[0]}/, its REMARK is {folder}"


def _contradiction(line: Line, folder: str | None) -> str:
    """Return how Hb, Severity and REMARK of a line differ; empty where they are one."""
    if folder is None:
        return f"REMARK is {line['REMARK']!r}, expected {' or '.join(FOLDERS.values())}"
    severity, hb = (line["Severity"] or "").lower(), line["hb"]
    if hb is None:
        return ""  # told already
    if severity not in SEVERITIES:
        return f"Severity is {line['Severity']!r}, expected one of {', '.join(SEVERITIES)}"
    follows = next(name for name, least in SEVERITIES.items() if hb >= least)
    if follows != severity:
        return f"HB_LEVEL {hb:g} g/dL is {follows}, its Severity is {line['Severity']}"
    if (follows == "non-anemic") != (folder == FOLDERS["non-anemic"]):
        return f"HB_LEVEL {hb:g} g/dL is {follows}, its REMARK is {line['REMARK']}"
    return ""
