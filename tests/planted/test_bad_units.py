"""Units and scales of docs/bad-input.md: each line is planted in files and read by its system."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests import ceph_set, pills_set, promises, spectra_set

from assay.contract.checks import Check
from assay.gates.units import judge_units
from assay.lookup import find_system
from assay.manifest.listing import deduplicate
from assay.manifest.source import Source
from assay.pages.parts import draw_parts
from assay.systems.ceph.data.params import Phantom

HB, CEPH = find_system("hemoglobin.conjunctiva"), ceph_set.CEPH
PILLS, SPECTRA = pills_set.PILLS, spectra_set.SPECTRA
MMOL = 0.6206
Table = dict[str, Any]
Values = np.ndarray[Any, Any]


def listed(system: Any, folder: Path) -> pl.DataFrame:
    """Return the manifest without images: rows as listed, status by their faults."""
    table = deduplicate(system.read(Source(folder.name, folder.parent)).table)
    status = pl.when(pl.col("fault").is_null()).then(pl.lit("ok")).otherwise(pl.lit("broken"))
    return table.with_columns(status=status, group_id="group")


# Hemoglobin: two tables of Hb, by name.


def blood(random: np.random.Generator) -> dict[str, Values]:
    return {
        "conj_folder1": random.normal(11.5, 2.0, 200).clip(6, 17).round(1),
        "conj_folder2": random.normal(11.0, 2.0, 300).clip(6, 17).round(1),
    }


def hb_set(change: Callable[[dict[str, Values]], object]) -> Callable[[Path], pl.DataFrame]:
    def make(folder: Path) -> pl.DataFrame:
        tables = blood(np.random.default_rng(5))
        change(tables)
        folder.mkdir()
        for name, values in tables.items():
            rows = [f"{name}/{row}.png,{value:.6g},{row}" for row, value in enumerate(values)]
            text = "\n".join(["image_path,hb_value,patient_id", *rows])
            (folder / f"{name}.csv").write_text(text + "\n")
        return listed(HB, folder)

    return make


def written(
    factor: float, decimals: int = 1, table: str = "conj_folder2", rows: Any = slice(None)
) -> Callable[[dict[str, Values]], None]:
    def change(tables: dict[str, Values]) -> None:
        tables[table][rows] = (tables[table][rows] * factor).round(decimals)

    return change


def everywhere(change: Callable[[Values], Values]) -> Callable[[dict[str, Values]], None]:
    def every(tables: dict[str, Values]) -> None:
        tables.update({name: change(values) for name, values in tables.items()})

    return every


def put(rows: Any, make: Callable[[Values], Any]) -> Callable[[dict[str, Values]], None]:
    def change(tables: dict[str, Values]) -> None:
        values = tables["conj_folder2"]
        values[rows] = make(values[rows])

    return change


SCATTERED = np.random.default_rng(9).random(300) < 1 / 3

# Pills: boxes of the labels on disk.


def box_set(
    change: Callable[[Values, Values], Values], where: str = "*"
) -> Callable[[Path], pl.DataFrame]:
    def make(folder: Path) -> pl.DataFrame:
        pills_set.made(folder, classes=6, sessions=6, angles=1, combinations=3)
        for path in pills_set.labels(folder):
            if where in path.as_posix() or where == "*":
                pills_set.edit(path, spoilt)
        return listed(PILLS, folder).with_columns(group_id="session")

    def spoilt(told: dict[str, Any]) -> None:
        side = np.array([told["images"][0][name] for name in ("width", "height")] * 2)
        box = np.array(told["annotations"][0]["bbox"], dtype=float)
        told["annotations"][0]["bbox"] = [float(each) for each in change(box, side)]

    return make


def corners(box: Values, side: Values) -> Values:
    return np.concatenate([box[:2], box[:2] + box[2:]])


# Spectra: published parts.


def spectra_of(change: Callable[[Values], Values], parts: tuple[int, ...] = (0, 1)) -> Any:
    def make(folder: Path) -> pl.DataFrame:
        structures, spectra = spectra_set.arrays(60)
        for number, rows in enumerate((slice(0, 30), slice(30, 60))):
            part = change(spectra[rows]) if number in parts else spectra[rows]
            spectra_set.write_part(folder, structures[rows], part, number=number)
        return spectra_set.ingest(folder, folder.parent)[0]

    return make


# Ceph: the table of machines, and points of readers.


def film_set(change: Callable[[Path], object]) -> Callable[[Path], pl.DataFrame]:
    def make(folder: Path) -> pl.DataFrame:
        folder.mkdir()
        how = {**ceph_set.PLAIN, "films": 60, "width": 120}
        CEPH.phantom(folder, Phantom.model_validate(how))
        change(folder)
        return listed(CEPH, folder)

    return make


def spaced(how: Callable[[pl.Expr], pl.Expr], machine: str = "") -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        [path] = folder.glob("*.csv")
        table = pl.read_csv(path)
        old = pl.col("pixel_size").cast(pl.Float64)
        mine = pl.col("machine").str.contains(machine)
        table.with_columns(pixel_size=pl.when(mine).then(how(old)).otherwise(old)).write_csv(path)

    return change


def with_decimals(*kinds: str) -> Callable[[Path], None]:
    """Points between pixels, as one who clicks into a larger picture has them."""

    def change(folder: Path) -> None:
        for kind in kinds:
            for path in folder.glob(f"*/{ceph_set.KINDS[kind]}/*.json"):
                ceph_set.edit(path, moved)

    def moved(told: dict[str, Any]) -> None:
        for number, each in enumerate(told["landmarks"]):
            each["value"]["x"] += 0.25 + 0.01 * number

    return change


PLANTS: dict[str, tuple[Any, Callable[[Path], pl.DataFrame]]] = {
    "a third of a table in mmol/L": (HB, hb_set(written(MMOL, rows=slice(100, 200)))),
    "a third of a table in g/L": (HB, hb_set(written(10, 0, rows=slice(100, 200)))),
    "one table in mmol/L": (HB, hb_set(written(MMOL))),
    "one table in g/L": (HB, hb_set(written(10, 0))),
    "two rows in g/L": (HB, hb_set(written(10, 0, rows=slice(40, 42)))),
    "all in mmol/L, of whom many are anaemic": (
        HB, hb_set(everywhere(lambda values: ((values - 0.8) * MMOL).round(1)))),
    "mmol/L here and there, with two decimals": (HB, hb_set(written(MMOL, 2, rows=SCATTERED))),
    "mmol/L here and there, with one decimal": (HB, hb_set(written(MMOL, 1, rows=SCATTERED))),
    "all whole numbers": (HB, hb_set(everywhere(np.ceil))),
    "one table of whole numbers": (HB, hb_set(written(1, 0))),
    "lines of whole numbers": (HB, hb_set(written(1, 0, rows=slice(100, 140)))),
    "one table in steps of 0.5": (HB, hb_set(put(slice(None), lambda v: (2 * v).round() / 2))),
    "one value filled down": (HB, hb_set(put(slice(50, 62), lambda v: 10.3))),
    "one value for all who have none": (HB, hb_set(put(SCATTERED, lambda v: 12.1))),
    "one table far too even": (HB, hb_set(put(slice(None), lambda v: (11 + (v - 11) / 8).round(1)))),
    "a table sorted by its label": (HB, hb_set(everywhere(np.sort))),
    "hospitals 2 g/dL apart": (HB, hb_set(put(slice(None), lambda v: v - 1.5))),
    "boxes as shares of the photograph": (PILLS, box_set(lambda box, side: box / side)),
    "one part's boxes as shares": (PILLS, box_set(lambda box, side: box / side, "single")),
    "boxes in percent": (PILLS, box_set(lambda box, side: 100 * box / side)),
    "boxes as x0, y0, x1, y1": (PILLS, box_set(corners)),
    "boxes of an image half as large": (PILLS, box_set(lambda box, side: (box / 2).round())),
    "one part's boxes moved between pixels": (
        PILLS, box_set(lambda box, side: box - [0.4, 0.3, 0, 0], "combo")),
    "spectra in percent": (SPECTRA, spectra_of(lambda spectra: 100 * spectra)),
    "one part's spectra in percent": (SPECTRA, spectra_of(lambda spectra: 100 * spectra, (1,))),
    "one part's spectra half as high": (SPECTRA, spectra_of(lambda spectra: spectra / 2, (1,))),
    "spectra in dB": (SPECTRA, spectra_of(lambda spectra: 10 * np.log10(-spectra.clip(max=-1e-4)))),
    "one device's pixel size in cm": (CEPH, film_set(spaced(lambda size: size / 10, "Phantom A"))),
    "pixel sizes in dpi": (CEPH, film_set(spaced(lambda size: 25.4 / size))),
    "one reader's points rounded": (CEPH, film_set(with_decimals("senior"))),
    "both readers' points rounded": (CEPH, film_set(lambda folder: None)),
}  # fmt: skip


def promised() -> dict[str, tuple[str, str]]:
    return promises.promised("Units and scales")


def judged(fault: str, root: Path, policy: str = "stop") -> list[Check]:
    system, make = PLANTS[fault]
    return judge_units(make(root / "set"), system, policy)


def test_every_line_is_planted() -> None:
    assert set(promised()) == set(PLANTS)


@pytest.mark.parametrize("fault", PLANTS)
def test_what_is_promised_of_units_is_seen(fault: str, tmp_path: Path) -> None:
    outcome, told = promised()[fault]
    failed = [check for check in judged(fault, tmp_path) if not check.passed]
    if outcome != "stops":
        assert not failed
        return
    assert any(told in check.found for check in failed), [check.line() for check in failed]
    assert all("assay snapshot" in check.mend for check in failed)
    for check in failed:  # no policy lets pass what cannot be
        assert ("policy.units=tell" in check.mend) != check.name.startswith("values: ")
    assert all(check.rows for check in failed)


def test_the_policy_tells_and_goes_on(tmp_path: Path) -> None:
    checks = judged("one table in mmol/L", tmp_path, "tell")
    assert all(check.passed for check in checks)
    [units] = [check for check in checks if check.name == "units: hb"]
    assert "looks most like mmol/L" in units.found
    assert units.found.endswith("policy tell")


def test_no_policy_lets_pass_what_cannot_be(tmp_path: Path) -> None:
    [values] = [
        check for check in judged("two rows in g/L", tmp_path, "tell") if check.name == "values: hb"
    ]
    assert not values.passed


def test_a_clinic_is_a_part_and_each_quantity_has_a_figure(tmp_path: Path) -> None:
    table = hb_set(written(MMOL, rows=np.arange(300) % 3 == 0))(tmp_path / "set")
    assert all(check.passed for check in judge_units(table, HB, "stop"))
    clinic = pl.when(pl.col("subset") == "conj_folder2").then(pl.col("line").mod(3).cast(pl.String))
    table = table.with_columns(clinic=clinic)
    failed = [check for check in judge_units(table, HB, "stop") if not check.passed]
    assert "clinic 2: looks most like mmol/L" in failed[0].found
    [figure] = draw_parts(table, HB).values()
    assert figure.startswith(b"\x89PNG")
