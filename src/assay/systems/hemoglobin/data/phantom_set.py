"""A phantom of the conjunctiva set in its published layout; rows, faults and table of any Hb set."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.progress import track

from assay.systems.hemoglobin.data.phantom import write_person

if TYPE_CHECKING:
    from assay.systems.hemoglobin.data.params import Faults, Phantom

HB_RANGE = (
    7.0,
    17.0,
)  # g/dL; a little wider than the study's filter, so that the filter is exercised
VIEWS = 4  # one whole eye and three regions
Row = tuple[str, float, str]


def write_set(folder: Path, params: Phantom) -> None:
    """Write both folders and their CSVs; the same parameters give the same bytes."""
    random = np.random.default_rng(params.seed)
    sets = {
        "conj_folder1.csv": _write_folder(folder, "folder1", params.folder1, VIEWS, params, random),
        "conj_folder2.csv": _write_folder(folder, "folder2", params.folder2, 1, params, random),
    }
    for name, rows in sets.items():
        if rows:
            finish_set(folder / name, rows, params, random)


def finish_set(path: Path, rows: list[Row], faults: Faults, random: np.random.Generator) -> None:
    """Plant the faults among the photographs beside `path`, and write their table there."""
    _plant_conflicts(path.parent, rows, faults.conflicts, random)
    plant_broken(path.parent, [name for name, _, _ in rows], faults.broken)
    _write_csv(path, rows)


def _write_folder(
    folder: Path, part: str, people: int, views: int, params: Phantom, random: np.random.Generator
) -> list[Row]:
    (folder / part).mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    for person in track(range(1, people + 1), f"phantom {part}", disable=people == 0):
        hb = round(float(random.uniform(*HB_RANGE)), 1)
        names = [f"{part}/{person:04d}_{view}.png" for view in range(1, views + 1)]
        write_person(folder, names, hb, params.size, random)
        rows += [(name, hb, str(person)) for name in names]
    return rows


def _plant_conflicts(
    folder: Path, rows: list[Row], count: int, random: np.random.Generator
) -> None:
    """Copy a photograph under another person's id with another Hb, as CP-AnemiC does 90 times."""
    for name, hb, person in rows[:count]:
        copy = name.replace(".png", "_copy.png")
        shutil.copyfile(folder / name, folder / copy)
        rows.append((copy, round(hb + float(random.uniform(1, 2)), 1), f"copy{person}"))


def plant_broken(folder: Path, names: Sequence[str], count: int) -> None:
    """Cut photographs off half-way, from the end of the list."""
    for name in names[len(names) - count :]:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])


def _write_csv(path: Path, rows: list[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["image_path", "hb_value", "patient_id"])
        writer.writerows(rows)
