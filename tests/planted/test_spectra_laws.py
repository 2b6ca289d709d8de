"""A wrong map, or one whose premise the data do not keep: the preflight stops the training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.spectra_set import arrays, ingest, rows_of, small_set, write_part
from tests.unit.test_spectra_tasks import TASK, params_of, run_in

from assay.errors import GateError
from assay.manifest.rows import Rows
from assay.runs.files import read_json
from assay.systems.spectra.optics.symmetry import MAPS, SYMMETRIES


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """Return the usable rows of the small set; they are read from files, and nobody changes them."""
    root = tmp_path_factory.mktemp("spectra")
    table, facts = ingest(small_set(root / "set"), root)
    return rows_of(table, facts, root)


def refused(rows: Rows, folder: Path, **train: Any) -> dict[str, Any]:
    """Return the verdict's failed checks by name; nothing may have been trained."""
    run = run_in(folder)
    with pytest.raises(GateError):
        TASK.fit(rows, rows, params_of(**train), run)
    assert not list(run.folder.iterdir())
    checks = read_json(run.reports / "preflight.json")["checks"]
    return {check["name"]: check for check in checks if not check["passed"]}


@pytest.mark.parametrize("name", ["rot180", "anti-transpose", "rot180+roll-both"])
def test_a_map_that_forgets_the_swap_is_stopped(
    rows: Rows, tmp_path: Path, monkeypatch: Any, name: str
) -> None:
    wrong = replace(MAPS["rot180"], cells=(0, 1, 2, 3))
    assert wrong.name == "rot180"
    if name != "rot180":
        wrong = replace(
            MAPS[name], cells=(3, 2, 1, 0) if MAPS[name].cells[0] == 0 else (0, 1, 2, 3)
        )
    kept = tuple(one for one in SYMMETRIES["shift8"] if one.name != name)
    monkeypatch.setitem(SYMMETRIES, "shift8", (*kept, wrong))
    found = refused(rows, tmp_path / "run", symmetry="shift8")
    assert set(found) == {"symmetry laws"}
    assert found["symmetry laws"]["rows"] == [name]
    assert f"right: cells {MAPS[name].cells}" in found["symmetry laws"]["found"]


def test_full32_needs_structures_symmetric_about_their_diagonal(tmp_path: Path) -> None:
    structures, spectra = arrays(40, diagonal=False)
    table, facts = ingest(write_part(tmp_path / "set", structures, spectra), tmp_path)
    rows = rows_of(table, facts, tmp_path)
    found = refused(rows, tmp_path / "run", symmetry="full32")
    assert set(found) == {"premises"}
    assert "40 of 40" in found["premises"]["found"]
    assert len(found["premises"]["rows"]) == 40
    TASK.fit(rows, rows, params_of(symmetry="shift8", epochs=1), run_in(tmp_path / "eight"))


def test_greens_that_differ_stop_full32(rows: Rows, tmp_path: Path) -> None:
    bayer = rows.columns["bayer"].copy()
    bayer[3, 0, 1] += 0.005
    bayer[3, 1, 0] -= 0.005
    apart = Rows({"image": rows.image}, {**rows.columns, "bayer": bayer})
    found = refused(apart, tmp_path / "run", symmetry="full32")
    assert found["premises"]["rows"] == [rows.columns["sample_id"][3]]
    TASK.fit(apart, apart, params_of(symmetry="rot180", epochs=1), run_in(tmp_path / "two"))
