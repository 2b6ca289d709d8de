"""The machine table of Aariz: `cephalogram_id, machine, pixel_size, image_format, mode`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from assay.manifest.published import number, read_published

if TYPE_CHECKING:
    from assay.manifest.source import Source

TABLE = "cephalogram_machine_mappings.csv"
COLUMNS = ("cephalogram_id", "machine", "pixel_size", "image_format", "mode")
UNKNOWN = ("unknown", "n/a", "none", "")


@dataclass(frozen=True)
class Unit:
    """What the table says of one film.

    Attributes:
        machine: the X-ray unit, or None.
        spacing: mm a pixel, or None.
        extension: of the image's name, as stated.
        split: train, valid or test.
        faults: in words; what they are about is None.
    """

    machine: str | None = None
    spacing: float | None = None
    extension: str = ""
    split: str = ""
    faults: tuple[str, ...] = ()


def read_machines(source: Source, name: str) -> dict[str, Unit]:
    """Return the table's films by id; empty where there is no table, since its facts are extras.

    Raises:
        SourceError: it is there, and lacks a column or is no CSV.
    """
    content = source.text(name)
    if content is None:
        return {}
    lines = read_published(content, source.uri(name), COLUMNS)
    lines = lines.with_columns(number("pixel_size").alias("spacing"))
    found: dict[str, Unit] = {}
    for row in lines.filter(pl.col("cephalogram_id").is_not_null()).iter_rows(named=True):
        film, unit = row["cephalogram_id"], _unit(row)
        same = found.get(film, unit) == unit
        found[film] = unit if same else Unit(faults=(f"{film} stands twice, differently",))
    return found


def _unit(row: dict[str, str | float | None]) -> Unit:
    faults = [str(row["fault"])] if row["fault"] else []
    machine, spacing = row["machine"], row["spacing"]
    if machine is not None and str(machine).lower() in UNKNOWN:
        machine = None
    if row["pixel_size"] is not None and (spacing is None or float(spacing) <= 0):
        faults.append(f"pixel_size {row['pixel_size']!r} is no length")
        spacing = None
    split, extension = (str(row[key] or "").lower() for key in ("mode", "image_format"))
    if row["fault"]:  # columns may have moved
        return Unit(extension=extension, split=split, faults=tuple(faults))
    return Unit(
        None if machine is None else str(machine),
        None if spacing is None else float(spacing),
        extension,
        split,
        tuple(faults),
    )
