"""Data of `hemoglobin.conjunctiva`: Hb (g/dL) from photographs of the palpebral conjunctiva.

Two published folders are one set: `conj_folder1.csv` (200 people, one whole eye and three regions
each) and `conj_folder2.csv` (CP-AnemiC, 710 regions; Mendeley Data, "CP-AnemiC: A conjunctival pallor
dataset and benchmark for anemia detection in children", Appiahene et al. 2023). Either may be absent.
Columns: `image_path, hb_value, patient_id`; ids are prefixed with their folder (`f1:12`, `f2:12`), so
that they cannot collide.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from assay.contract import Listing, Range, Rule
from assay.errors import SourceError
from assay.systems.hemoglobin.data.sections import ConjunctivaParams, HbIngest, Phantom

FOLDERS = {"f1": "conj_folder1.csv", "f2": "conj_folder2.csv"}
COLUMNS = ("image_path", "hb_value", "patient_id")
PLAUSIBLE_HB = (2.0, 25.0)  # g/dL; below is not survived, above is another unit


class Conjunctiva:
    """The system part `hemoglobin.conjunctiva`."""

    name = "hemoglobin.conjunctiva"
    target = "hb"
    params = ConjunctivaParams

    def phantom(self, folder: Path, params: Phantom) -> None:
        """Write a phantom of both published folders; Hb is uniform over 7–17 g/dL."""
        from assay.systems.hemoglobin.data.phantom_set import write_set

        write_set(folder, params)

    def read(self, source: Path) -> Listing:
        """List both folders' samples.

        Raises:
            SourceError: neither CSV is there, or one lacks a column.
        """
        present = {key: source / name for key, name in FOLDERS.items() if (source / name).exists()}
        if not present:
            expected = " or ".join(FOLDERS.values())
            raise SourceError(str(source), "no table of the published layout", expected)
        tables = [_read_folder(key, path) for key, path in present.items()]
        table = pl.concat(tables)
        files = [*present.values(), *(source / uri for uri in table["uri"].unique())]
        return Listing(table, _group_kind(table), files)

    def filters(self, params: HbIngest) -> Sequence[Range]:
        """Keep the Hb range of the study; the rest is filtered after conflicts are judged."""
        return [Range("hb", params.hb_min, params.hb_max)]

    def rules(self) -> Sequence[Rule]:
        """Hb is in g/dL: 44–169 would be g/L."""
        low, high = PLAUSIBLE_HB
        return [
            Rule(
                "hb_plausible",
                "ExpectColumnValuesToBeBetween",
                {"column": "hb", "min_value": low, "max_value": high},
                f"Hb lies in {low:g}–{high:g} g/dL (g/L would be ten times that)",
                rows="all",
            ),
            Rule(
                "hb_present",
                "ExpectColumnValuesToNotBeNull",
                {"column": "hb"},
                "every sample has an Hb",
            ),
        ]


def _read_folder(key: str, path: Path) -> pl.DataFrame:
    """Read one CSV as text and convert by hand: a wrong type is a fault of its row, not of the file."""
    try:
        table = pl.read_csv(path, infer_schema=False)
    except pl.exceptions.PolarsError as unreadable:
        raise SourceError(
            str(path), f"not a table: {unreadable}", ",".join(COLUMNS), "export it again"
        ) from None
    missing = [column for column in COLUMNS if column not in table.columns]
    if missing:
        raise SourceError(
            str(path),
            f"no column {', '.join(missing)} (has {', '.join(table.columns)})",
            ",".join(COLUMNS),
            "rename the columns in the CSV's first line",
        )
    hb = pl.col("hb_value").str.strip_chars().cast(pl.Float64, strict=False)
    listed = table.select(
        sample_id=pl.lit(f"{key}:") + pl.col("image_path").fill_null(""),
        uri=pl.col("image_path").fill_null(""),
        item=pl.lit(0),
        group=pl.lit(f"{key}:") + pl.col("patient_id").str.strip_chars().fill_null(""),
        hb=pl.when(hb.is_finite()).then(hb),
        text=pl.col("hb_value").fill_null(""),
        path=pl.col("image_path"),
        person=pl.col("patient_id"),
    )
    fault = (
        pl.when(pl.col("path").is_null())
        .then(pl.lit("image_path is empty"))
        .when(pl.col("person").is_null())
        .then(pl.lit("patient_id is empty"))
        .when(pl.col("hb").is_null())
        .then(pl.lit("hb_value is not a number: '") + pl.col("text") + pl.lit("'"))
    )
    line = pl.int_range(2, pl.len() + 2).cast(pl.String)
    prefix = pl.lit(f"{path.name} line ") + line + pl.lit(": ")
    return listed.with_columns(fault=prefix + fault).drop("text", "path", "person")


def _group_kind(table: pl.DataFrame) -> str:
    """Say `content` where the ids only number the files (CP-AnemiC), else `patient`.

    One row an id, and the id is the file's own name: such ids know nothing about people.
    """
    stem = pl.col("uri").str.split("/").list.last().str.replace(r"\.[^.]*$", "")
    is_file_id = table.select((pl.col("group").str.slice(3) == stem).all()).item()
    return "content" if is_file_id and table["group"].is_unique().all() else "patient"
