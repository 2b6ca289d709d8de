"""The label table that both single-modality parts publish: `image_path, hb_value, patient_id`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from assay.contract.checks import Rule
from assay.contract.quantity import Quantity
from assay.manifest.paths import find_table, resolve_paths
from assay.manifest.published import faults, number, number_faults, read_published

if TYPE_CHECKING:
    from assay.manifest.source import Source

COLUMNS = ("image_path", "hb_value", "patient_id")
PLAUSIBLE_HB = (2.0, 25.0)  # g/dL; below is not survived, above is another unit
PLAUSIBLE_MEDIAN = (7.0, 18.0)  # g/dL, of any cohort: severe anaemia is below 7; in g/L 70–180
MMOL = 0.6206  # mmol/L of haemoglobin (monomer, 16.11 g/mmol) that are 1 g/dL
# Hospitals of CP-AnemiC differ by up to 1.6 g/dL, children and adults by 3.5.
HB = Quantity(
    "hb", "hb", "g/dL", PLAUSIBLE_HB, PLAUSIBLE_MEDIAN, {"g/L": 0.1, "mmol/L": 1 / MMOL},
    decimals=1, apart=0.2, spread=2.5,
)  # fmt: skip


def read_labels(source: Source, name: str, key: str = "") -> tuple[pl.DataFrame, str] | None:
    """Return the samples of one table and where it lies, or None where the source has no such file.

    Args:
        source: where the table lies.
        name: its file.
        key: put before ids (`f1:12`), so that those of two tables cannot collide.
    """
    place = find_table(source, name)
    content = None if place is None else source.text(place)
    if place is None or content is None:
        return None
    folder = place.removesuffix(name)
    lines = read_published(content, source.uri(place), COLUMNS)
    files = resolve_paths(lines["image_path"], source, folder)
    fault = faults(name, [
        (pl.col("image_path").is_null(), pl.lit("image_path is empty")),
        (pl.col("patient_id").is_null(), pl.lit("patient_id is empty")),
        *number_faults("hb_value"),
    ])  # fmt: skip
    table = lines.select(
        sample_id=pl.lit(key) + files["path"].fill_null(""),
        uri=files["uri"].fill_null(""),
        item=pl.lit(0),
        group=pl.lit(key) + pl.col("patient_id").fill_null(""),
        subset=pl.lit(name.removesuffix(".csv")),
        hb=number("hb_value"),
        line=pl.col("line"),
        fault=pl.coalesce(fault, files["fault"]),
    )
    return table, place


def hb_rules() -> list[Rule]:
    """Hb is in g/dL: 44–169 would be g/L, and a median outside any cohort's another unit."""
    low, high = PLAUSIBLE_HB
    least, most = PLAUSIBLE_MEDIAN
    return [
        Rule("hb_plausible", "ExpectColumnValuesToBeBetween",
             {"column": "hb", "min_value": low, "max_value": high},
             f"Hb lies in {low:g}–{high:g} g/dL (g/L would be ten times that)", rows="all"),
        Rule("hb_median", "ExpectColumnMedianToBeBetween",
             {"column": "hb", "min_value": least, "max_value": most},
             f"the median Hb of a table lies in {least:g}–{most:g} g/dL", rows="subset"),
        Rule("hb_present", "ExpectColumnValuesToNotBeNull", {"column": "hb"},
             "every sample has an Hb"),
    ]  # fmt: skip


def group_kind(table: pl.DataFrame, key_length: int = 0) -> str:
    """Say `content` where the ids only number the files (CP-AnemiC), else `patient`.

    One row an id, and the id is the file's own name: such ids know nothing about people.
    """
    stem = pl.col("uri").str.split("/").list.last().str.replace(r"\.[^.]*$", "")
    is_file_id = table.select((pl.col("group").str.slice(key_length) == stem).all()).item()
    return "content" if is_file_id and table["group"].is_unique().all() else "patient"
