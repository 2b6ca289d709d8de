"""580 real structures, 520 of them with spectra by RCWA."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.spectra_set import SPECTRA, failed, ingest, rows_of


@pytest.mark.real
@pytest.mark.parametrize("copy", ["none", "packed"])
def test_520_of_580_rows_are_used_and_the_premises_hold(
    real_data: Path, tmp_path: Path, copy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(real_data / "metasurface_rcwa", tmp_path / "set")
    table, facts = ingest(folder, tmp_path, size=128, copy=copy)
    assert facts["parts"] == [
        {"used": 288, "failed (valid 2)": 1, "not computed (valid 0)": 41},
        {"used": 232, "not computed (valid 0)": 18},
    ]
    assert facts["stored"] == "negative"
    assert facts["values"] == [0, 1]
    kept = table.filter(pl.col("status") == "ok")
    assert len(kept) == 520
    assert kept["diagonal"].all()
    assert kept["group_id"].n_unique() == 520
    assert kept.select(pl.col("lowest").min(), pl.col("cell_sum").max()).row(0) == pytest.approx(
        (0.0826, 0.9868), abs=1e-4
    )
    told = {check.name: check.found for check in SPECTRA.checks(table)}
    assert told["premises"].startswith("520 of 520 structures are symmetric")
    assert "(full32)" in told["premises"]
    assert failed(table) == set()
    rows = rows_of(table, facts, tmp_path)
    raw = np.load(folder / "spectra_latest_1.npy")
    assert rows.columns["bayer"][288, 1, 1, -1] == -raw[kept["item"][288], 2, 300]
    structures = np.load(folder / "binary_dataset_128_1.npy")
    assert np.array_equal(rows.image[288][..., 0], structures[kept["item"][288], 0])
