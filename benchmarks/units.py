"""How often units are judged wrongly: false alarms on clean sets, and which plants are found.

    python benchmarks/units.py draws=200 src=<repository>/src

Clean sets: as the phantoms draw their labels, and CP-AnemiC (where ASSAY_REAL_DATA has it): its lines,
drawn anew with their hospitals, in any order, the sheet's, by hospital, or sorted. No image is made.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

ARGUMENTS = dict(each.split("=", 1) for each in sys.argv[1:])
sys.path.insert(0, ARGUMENTS.get("src", str(Path(__file__).parents[1] / "src")))

from assay.gates.units import judge_units  # noqa: E402
from assay.lookup import find_system  # noqa: E402

DRAWS = int(ARGUMENTS.get("draws", "200"))
REAL = Path(os.environ.get("ASSAY_REAL_DATA", "../shared/data")) / "cp_anemic"
Random = np.random.Generator
Change = Callable[[pl.DataFrame, Random], pl.DataFrame]
MMOL = 0.6206


def rows(count: int, **columns: object) -> pl.DataFrame:
    """Return a manifest without images."""
    table = pl.DataFrame({"sample_id": [f"s{row:05d}" for row in range(count)]} | columns)
    line = pl.int_range(2, pl.len() + 2).over("subset")
    return table.with_columns(line=line, status=pl.lit("ok"), **(
        {} if "group_id" in columns else {"group_id": pl.col("sample_id")}
    ))  # fmt: skip


def nails(random: Random) -> pl.DataFrame:
    """300 people of one photograph each, Hb as the phantom draws it."""
    return rows(300, subset=["nail"] * 300, hb=random.uniform(7, 17, 300).round(1))


def eyes(random: Random) -> pl.DataFrame:
    """100 people of four photographs each, and 300 of one."""
    hb = random.uniform(7, 17, 400).round(1)
    person = np.r_[np.repeat(np.arange(100), 4), np.arange(100, 400)]
    return rows(
        700, subset=["conj_folder1"] * 400 + ["conj_folder2"] * 300, hb=hb[person],
        group_id=[str(each) for each in person],
    )  # fmt: skip


def honest(random: Random) -> pl.DataFrame:
    """Ten clinics whose levels differ by 2 g/dL and spreads by a third; and adults."""
    size = random.integers(8, 130, 10)
    clinic = np.repeat(np.arange(10), size)
    level, spread = random.uniform(9.2, 11.2, 10), random.uniform(1.7, 2.4, 10)
    children = random.normal(level[clinic], spread[clinic]).clip(3, 16)
    adults = random.normal(13.6, 1.5, 200).clip(6, 18)
    return rows(
        len(clinic) + 200, subset=["conj_folder2"] * len(clinic) + ["conj_folder1"] * 200,
        hb=np.r_[children, adults].round(1), clinic=[f"clinic {each}" for each in clinic] + [None] * 200,
    )  # fmt: skip


def sheet() -> pl.DataFrame:
    """CP-AnemiC as published; equal bytes are one group."""
    told = pl.read_csv(REAL / "Anemia_Data_Collection_Sheet.csv", encoding="utf8-lossy")
    content = pl.read_csv(REAL / "folds.csv")["content_md5"]
    return rows(
        len(told), subset=["conj_folder2"] * len(told), hb=told["HB_LEVEL"].cast(pl.Float64),
        clinic=told["HOSPITAL"], group_id=content,
    )  # fmt: skip


def cp_anemic(random: Random, order: str = "") -> pl.DataFrame:
    """Draw lines with replacement, each of them a subject of its own."""
    table = sheet()
    chosen = random.integers(0, len(table), len(table))
    chosen = np.sort(chosen) if order == "sheet" else chosen
    drawn = table[chosen].sort(order or "hb") if order in ("hb", "clinic") else table[chosen]
    columns = {name: drawn[name] for name in ("subset", "hb", "clinic")}
    return rows(len(drawn), **columns)


def pills(random: Random, count: int = 290) -> pl.DataFrame:
    """Photographs of one box each in the first two parts, of four in the third; 976 × 1280 px."""
    part = np.repeat(["TS_1_single", "VS_1_single", "TS_1_combo"], [150, 50, count - 200])
    boxes = []
    for each in part:
        pills = 4 if each == "TS_1_combo" else 1
        size = random.uniform(0.08, 0.25, (pills, 2))
        middle = random.normal(0.5, 0.03 if pills == 1 else 0.17, (pills, 2)).clip(0.2, 0.8)
        box = np.c_[middle - size / 2, size] * [976, 1280, 976, 1280]
        boxes.append(box.round().tolist())
    made = pl.Series("boxes", boxes, dtype=pl.List(pl.Array(pl.Float64, 4)))
    return rows(
        count, subset=np.where(part == "VS_1_single", "test", "train"), part=part, boxes=made,
        labelled=[[976.0, 1280.0]] * count, group_id=[f"g{row // 5}" for row in range(count)],
    )  # fmt: skip


def spectra(random: Random) -> pl.DataFrame:
    """Two parts whose means differ as the published ones do: 0.119 and 0.107."""
    mean = np.r_[random.normal(0.119, 0.02, 300), random.normal(0.107, 0.02, 200)]
    return rows(500, subset=["part 0"] * 300 + ["part 1"] * 200, mean=mean.clip(0.03, 0.24))


def films(random: Random, whole: bool = True) -> pl.DataFrame:
    """Two readers, seven devices with the pixel sizes of Aariz."""
    points = random.uniform(100, 900, (160, 58))
    read = {
        reader: (points + random.normal(0, 5, points.shape)).round(0 if whole else 2)
        for reader in ("senior", "junior")
    }
    columns = {
        name: pl.Series(name, each.reshape(160, 29, 2), dtype=pl.Array(pl.Float64, (29, 2)))
        for name, each in read.items()
    }
    number = random.integers(0, 7, 160)
    spacing = np.array([0.1, 0.089, 0.139, 0.139, 0.135, 0.1, 0.144])[number]
    return rows(
        160, subset=random.choice(["train", "valid", "test"], 160, p=[0.7, 0.15, 0.15]),
        machine=[f"machine {each}" for each in number], spacing=spacing, **columns,
    )  # fmt: skip


def scaled(column: str, factor: float, where: Callable[[pl.DataFrame, Random], np.ndarray],
           decimals: int = 1) -> Change:  # fmt: skip
    """Write a column in another unit, where it says so."""

    def change(table: pl.DataFrame, random: Random) -> pl.DataFrame:
        chosen = pl.Series(where(table, random))
        written = (pl.col(column) * factor).round(decimals)
        return table.with_columns(pl.when(chosen).then(written).otherwise(column).alias(column))

    return change


def third(table: pl.DataFrame, random: Random, share: float = 1 / 3) -> np.ndarray:
    """A block of consecutive lines of the largest table."""
    subset = table["subset"].value_counts().sort("count")["subset"][-1]
    mine = np.flatnonzero((table["subset"] == subset).to_numpy())
    size = int(len(mine) * share)
    start = int(random.integers(0, len(mine) - size + 1))
    return np.isin(np.arange(len(table)), mine[start : start + size])


def scattered(table: pl.DataFrame, random: Random) -> np.ndarray:
    """A third of the rows, here and there."""
    return random.random(len(table)) < 1 / 3


def clinic(table: pl.DataFrame, random: Random) -> np.ndarray:
    """One clinic, device or part of ten rows or more."""
    column = next(name for name in ("clinic", "machine", "part", "subset") if name in table.columns)
    counts = table[column].value_counts().drop_nulls().filter(pl.col("count") >= 10)
    return (
        (table[column] == random.choice(counts[column].sort().to_numpy()))
        .fill_null(False)
        .to_numpy()
    )


def everywhere(table: pl.DataFrame, _: Random) -> np.ndarray:
    """All rows."""
    return np.ones(len(table), dtype=bool)


def boxed(factor: np.ndarray | float, where: Callable[[pl.DataFrame, Random], np.ndarray],
          corners: bool = False) -> Change:  # fmt: skip
    """Write boxes in another unit."""

    def change(table: pl.DataFrame, random: Random) -> pl.DataFrame:
        boxes, chosen = table["boxes"].to_list(), where(table, random)
        for row in np.flatnonzero(chosen):
            made = np.array(boxes[row])
            if corners:
                made[:, 2:] += made[:, :2]
            scaled = made * factor
            boxes[row] = (scaled.round() if np.ndim(factor) == 0 else scaled).tolist()
        return table.with_columns(pl.Series("boxes", boxes, dtype=table["boxes"].dtype))

    return change


def junior_rounded(table: pl.DataFrame, _: Random) -> pl.DataFrame:
    """The junior reader alone in whole px, rounded up."""
    points = np.ceil(table["junior"].to_numpy())
    return table.with_columns(pl.Series("junior", points, dtype=table["junior"].dtype))


SHARES = 1 / np.array([976, 1280, 976, 1280])
HB: dict[str, Change] = {
    "a third in a row in mmol/L": scaled("hb", MMOL, third),
    "a tenth in a row in mmol/L": scaled("hb", MMOL, lambda t, r: third(t, r, 0.1)),
    "a third in a row in g/L": scaled("hb", 10, third, 0),
    "one clinic or table in mmol/L": scaled("hb", MMOL, clinic),
    "one clinic or table in g/L": scaled("hb", 10, clinic, 0),
    "all in mmol/L": scaled("hb", MMOL, everywhere),
    "a third here and there in mmol/L, one decimal": scaled("hb", MMOL, scattered),
    "a third here and there in mmol/L, two decimals": scaled("hb", MMOL, scattered, 2),
    "all whole numbers": scaled("hb", 1, everywhere, 0),
    "a third in a row whole numbers": scaled("hb", 1, third, 0),
    "one clinic or table whole numbers": scaled("hb", 1, clinic, 0),
    "a third here and there whole numbers": scaled("hb", 1, scattered, 0),
}
NAILS = {name: change for name, change in HB.items() if not name.startswith("one")}
BOXES: dict[str, Change] = {
    "all as shares": boxed(SHARES, everywhere),
    "one part as shares": boxed(SHARES, clinic),
    "all in %": boxed(100 * SHARES, everywhere),
    "all x0, y0, x1, y1": boxed(1.0, everywhere, corners=True),
    "one part x0, y0, x1, y1": boxed(1.0, clinic, corners=True),
    "one part of an image 0.5 × as large": boxed(0.5, clinic),
    "one part of an image 0.75 × as large": boxed(0.75, clinic),
    "one part of an image 0.93 × as large": boxed(0.93, clinic),
    "all of an image 0.75 × as large": boxed(0.75, everywhere),
    "all of an image 0.5 × as large": boxed(0.5, everywhere),
}
MEANS: dict[str, Change] = {
    "one part in %": scaled("mean", 100, clinic, 6),
    "one part × 0.5": scaled("mean", 0.5, clinic, 6),
    "all in %": scaled("mean", 100, everywhere, 6),
}
SPACING: dict[str, Change] = {
    "one device in cm": scaled("spacing", 0.1, clinic, 6),
    "one device in µm": scaled("spacing", 1000, clinic, 6),
    "one device in inches": scaled("spacing", 1 / 25.4, clinic, 6),
}
SETS: dict[str, tuple[str, Callable[[Random], pl.DataFrame], dict[str, Change]]] = {
    "nails (300)": ("hemoglobin.nail", nails, NAILS),
    "eyes (100 × 4, 300)": ("hemoglobin.conjunctiva", eyes, HB),
    "clinics 2 g/dL apart": ("hemoglobin.conjunctiva", honest, HB),
    "boxes (290)": ("pills", pills, BOXES),
    "spectra (500)": ("spectra", spectra, MEANS),
    "films, whole px (160)": ("ceph", films, SPACING),
    "films, 2 decimals": ("ceph", lambda r: films(r, False), {"junior rounded up": junior_rounded}),
}
if REAL.exists():
    SETS |= {
        "CP-AnemiC": ("hemoglobin.conjunctiva", cp_anemic, HB),
        "CP-AnemiC, in the sheet's order": (
            "hemoglobin.conjunctiva", lambda r: cp_anemic(r, "sheet"), HB),
        "CP-AnemiC, by hospital": ("hemoglobin.conjunctiva", lambda r: cp_anemic(r, "clinic"), {}),
        "CP-AnemiC, sorted by Hb": ("hemoglobin.conjunctiva", lambda r: cp_anemic(r, "hb"), {}),
    }  # fmt: skip


def stopped(system: str, table: pl.DataFrame) -> list[str]:
    """Return what stops."""
    checks = judge_units(table, find_system(system), "stop")
    return [check.line() for check in checks if not check.passed]


def main() -> None:
    """Print a line a set, and a line a plant."""
    for title, (system, draw, plants) in SETS.items():
        if not any(each in title for each in ARGUMENTS.get("only", "").split("|")):
            continue
        started, wrong = time.process_time(), []
        for seed in range(DRAWS):
            said = stopped(system, draw(np.random.default_rng(seed)))
            wrong += [said] if said else []
        each = (time.process_time() - started) / DRAWS
        print(f"| {title} | clean | {len(wrong)} of {DRAWS} stop | {each:.2f} s |", flush=True)
        for said in wrong[:3]:
            print("    ", *said)
        for plant, change in plants.items():
            count = max(DRAWS // 4, 1)
            found = 0
            for seed in range(count):
                random = np.random.default_rng(1000 + seed)
                found += bool(stopped(system, change(draw(random), random)))
            print(f"| {title} | {plant} | {found / count:.2f} |", flush=True)


if __name__ == "__main__":
    main()
