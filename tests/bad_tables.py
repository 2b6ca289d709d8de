"""A source of four rows in the published layout, and how its table is spoilt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import Image

from assay.lookup import find_system
from assay.manifest.source import Source
from tests import promises
from tests.ingest import indexed

SYSTEM = find_system("hemoglobin.conjunctiva")
TABLE = "conj_folder2.csv"
COLUMNS = ("image_path", "hb_value", "patient_id")
ROWS = ("row", "both rows")  # outcomes: one row is broken, or two
Plant = Callable[[Path], None]


def picture(shade: int) -> Image.Image:
    """Return a photograph (16, 16) with something on it: a plain one is none."""
    drawn = Image.new("RGB", (16, 16), (40 * shade, 90, 120))
    drawn.paste((200, 60, 60), (4, 4, 12, 12))
    return drawn


def write_source(place: Path) -> Path:
    """Write `a.png` … `d.png` and their table; `b.png`, line 3, is the row that is spoilt."""
    place.mkdir()
    for shade, name in enumerate("abcd"):
        picture(shade).save(place / f"{name}.png")
    rows = [",".join(COLUMNS), *(f"{n}.png,9.{i},p{n}" for i, n in enumerate("abcd"))]
    (place / TABLE).write_text("\n".join(rows) + "\n")
    return place


def table(change: Callable[[str], str | bytes]) -> Plant:
    def spoil(folder: Path) -> None:
        changed = change((folder / TABLE).read_text())
        (folder / TABLE).write_bytes(changed.encode() if isinstance(changed, str) else changed)

    return spoil


def line(text: str) -> Plant:
    """Put another text in the place of line 3."""
    return table(lambda whole: "\n".join([*whole.split("\n")[:2], text, *whole.split("\n")[3:]]))


def ingested(base: Path) -> tuple[pl.DataFrame, str]:
    """Return the manifest of a folder or archive, and what its groups are."""
    source = Source(base.name, base.parent)
    listing = SYSTEM.read(source)
    return indexed(source, listing, base.parent)[0], listing.group_kind


def planted(heading: str, plants: Mapping[str, Any], *outcomes: str) -> list[Any]:
    """Return (plant, outcome, what is told) of a section's lines with these outcomes."""
    rows = promises.promised(heading).items()
    return [
        pytest.param(plants[fault], *row, id=fault)
        for fault, row in rows
        if row[0] in outcomes and fault in plants
    ]


def assert_told(folder: Path, outcome: str, told: str) -> pl.DataFrame:
    """Assert that the bad rows alone are broken, and that no line is lost; return the manifest."""
    found, _ = ingested(folder)
    broken = found.filter(pl.col("status") == "broken")
    assert len(broken) == ROWS.index(outcome) + 1
    assert all(told in reason for reason in broken["reason"])
    lines = [each for each in (folder / TABLE).read_text().split("\n") if each]
    assert len(found) == len(lines) - 1
    assert found["sample_id"].is_unique().all()
    return found
