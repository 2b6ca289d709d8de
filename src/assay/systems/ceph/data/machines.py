"""The machine table of Aariz: `cephalogram_id, machine, pixel_size, image_format, mode`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay.manifest.published import read_published

if TYPE_CHECKING:
    from assay.manifest.source import Source

TABLE = "cephalogram_machine_mappings.csv"
COLUMNS = ("cephalogram_id", "machine", "pixel_size", "image_format", "mode")
MISPRINT = 1.139  # of ProMax 2D, in table 2 of Sci Data 12:1336
LARGEST = 2.0  # mm a pixel
MICRO = ("um", "µm", "μm")
LENGTH = re.compile(r"([-+.\deE]+)\s*(mm|[uµμ]m)?(?:\s*/\s*(?:px|pixel))?")
UNKNOWN = ("unknown", "n/a", "none", "")


@dataclass(frozen=True)
class Unit:
    """What the table says of one film.

    Attributes:
        machine: the X-ray unit, or None.
        spacing: mm a pixel, or None.
        extension: of the image's name, as stated.
        split: train, valid or test.
        faults: in words; what they are about is None, but for a spacing that the gate stops at.
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
    found: dict[str, Unit] = {}
    for row in lines.iter_rows(named=True):
        film, unit = row["cephalogram_id"] or f"{TABLE} line {row['line']}", _unit(row)
        same = found.get(film, unit) == unit
        found[film] = unit if same else Unit(faults=(f"{film} stands twice, differently",))
    return found


def _spacing(text: str) -> tuple[float | None, str]:
    """Return mm a pixel of a number, with a unit or without, and what is wrong with it.

    A number that can be no pixel is kept, so that the label gate stops.
    """
    found = LENGTH.fullmatch(text)
    try:
        value = float(found[1]) / (1000 if found[2] in MICRO else 1) if found else 0.0
    except ValueError:
        value = 0.0
    if not (math.isfinite(value) and value > 0):
        return None, "has a decimal comma" if "," in text else "is no length"
    if math.isclose(value, MISPRINT):
        return value, "is the paper's misprint of 0.139: take the published table"
    if value > LARGEST:
        return value, f"is no mm a pixel (at most {LARGEST:g}): if it is in µm, write 100 µm"
    return value, ""


def _unit(row: dict[str, str | int | None]) -> Unit:
    faults = [str(row["fault"])] if row["fault"] else []
    machine = row["machine"]
    if machine is not None and str(machine).lower() in UNKNOWN:
        machine = None
    spacing, fault = _spacing(str(row["pixel_size"])) if row["pixel_size"] else (None, "")
    faults += [f"pixel_size {row['pixel_size']!r} {fault}"] if fault else []
    split, extension = (str(row[key] or "").lower() for key in ("mode", "image_format"))
    if row["fault"]:  # columns may have moved
        return Unit(extension=extension, split=split, faults=tuple(faults))
    return Unit(
        None if machine is None else str(machine),
        spacing,
        extension,
        split,
        tuple(faults),
    )
