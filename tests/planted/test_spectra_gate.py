"""Spectra that break a law, copies that disagree, a split that parts twins: stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.spectra_set import SPECTRA, arrays, channels, failed, ingest, small_set, write_part

from assay.gates.leakage import judge_leakage
from assay.manifest.split import assign
from assay.systems.spectra.optics.symmetry import MAPS

NO_PAIRS = pl.DataFrame(
    schema={
        "sample_a": pl.String,
        "sample_b": pl.String,
        "inliers": pl.Int64,
        "mirrored": pl.Boolean,
    }
)


def gate(tmp_path: Path, structures: Any, spectra: Any) -> set[str]:
    return failed(ingest(write_part(tmp_path / "set", structures, spectra), tmp_path)[0])


def test_a_sound_set_passes_and_its_premises_are_told(tmp_path: Path) -> None:
    table, _ = ingest(small_set(tmp_path / "set"), tmp_path)
    assert failed(table) == set()
    told = {check.name: check.found for check in SPECTRA.checks(table)}
    assert "38 of 38 structures are symmetric" in told["premises"]
    assert "(full32)" in told["premises"]
    assert told["sign"] == "stored negative, turned over"
    assert "1 failed (valid 2)" in told["rows of the parts"]


def test_structures_of_any_form_are_told_to_have_8_maps(tmp_path: Path) -> None:
    structures, spectra = arrays(12, diagonal=False)
    table, _ = ingest(write_part(tmp_path / "set", structures, spectra), tmp_path)
    premises = next(check for check in SPECTRA.checks(table) if check.name == "premises")
    assert "0 of 12" in premises.found
    assert "8 maps" in premises.found
    assert len(premises.rows) == 12
    assert failed(table) == set()


def spoil_row(value: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def change(spectra: Any) -> Any:
        spectra[5, 1, 33] = value(spectra[5, 1, 33])
        return spectra

    return change


@pytest.mark.parametrize(
    ("change", "stops"),
    [
        (spoil_row(lambda value: -value), "power_not_negative"),
        (spoil_row(lambda value: value - 1), "power_conserved"),
        (lambda spectra: spectra * 100, "power_conserved"),
        (lambda spectra: spectra + 0.3, "power_not_negative"),
    ],
    ids=["one value of the other sign", "one value too large", "percent", "offset"],
)
def test_a_spectrum_that_breaks_a_law_is_stopped(
    tmp_path: Path, change: Callable[[Any], Any], stops: str
) -> None:
    structures, spectra = arrays(20)
    assert stops in gate(tmp_path, structures, np.asarray(change(spectra), dtype=np.float32))


def test_greens_that_differ_and_mixed_signs_are_stopped(tmp_path: Path) -> None:
    table, _ = ingest(small_set(tmp_path / "set"), tmp_path)
    first = pl.int_range(pl.len()) == 4
    apart = table.with_columns(green_gap=pl.when(first).then(0.1).otherwise("green_gap"))
    assert failed(apart) == {"greens_equal"}
    mixed = table.with_columns(sign=pl.when(first).then(1).otherwise("sign"))
    assert failed(mixed) == {"sign"}


def test_one_structure_with_two_spectra_is_stopped(tmp_path: Path) -> None:
    structures, spectra = arrays(20)
    structures[7] = structures[2]
    assert gate(tmp_path, structures, spectra) == {"identical images", "moved copies"}


def test_a_moved_copy_with_a_strange_spectrum_is_stopped(tmp_path: Path) -> None:
    structures, spectra = arrays(20)
    structures[7] = MAPS["rot180+roll-both"].structures(structures[2])
    assert gate(tmp_path, structures, spectra) == {"moved copies"}
    spectra[7] = channels(structures[7])[0]
    assert gate(tmp_path, structures, spectra) == set()


def test_rows_that_are_no_number_are_stopped(tmp_path: Path) -> None:
    structures, spectra = arrays(20)
    spectra[3, 0, 0] = np.nan
    assert gate(tmp_path, structures, spectra) == {"broken"}


def test_a_structure_and_its_moved_copy_never_stand_in_two_parts(tmp_path: Path) -> None:
    structures, spectra = arrays(30)
    for row, one in enumerate(list(MAPS.values())[1:11]):
        structures[20 + row] = one.structures(structures[row])
        spectra[20 + row] = channels(structures[20 + row])[0]
    table, _ = ingest(write_part(tmp_path / "set", structures, spectra), tmp_path)
    assert table["group_id"].n_unique() <= 20
    splits = assign(table, "mean", 0.2, 4, 2, seed=0)
    assert all(check.passed for check in judge_leakage(table, splits, NO_PAIRS, "spectra"))
    one, twin = "0-000000", "0-000020"
    parted = splits.with_columns(
        fold=pl.when(pl.col("sample_id") == one).then(0)
        .when(pl.col("sample_id") == twin).then(1).otherwise("fold"),
        split=pl.when(pl.col("sample_id").is_in([one, twin])).then(pl.lit("trainval"))
        .otherwise("split"),
    )  # fmt: skip
    stopped = [c for c in judge_leakage(table, parted, NO_PAIRS, "spectra") if not c.passed]
    assert "groups" in {check.name for check in stopped}
