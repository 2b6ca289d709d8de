"""The stage `similar`: what it writes where nobody is to look."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import polars as pl
import pytest

from assay.errors import AssayError
from assay.manifest.layout import Layout
from assay.manifest.storage import PixelStorage
from assay.manifest.table import read_table, write_table
from assay.sections.machine import Runtime
from assay.stages import leakage, similar
from assay.stages.launch import Stage

ITEM = "hemoglobin.conjunctiva"


def stage(root: Path, search: str) -> Stage:
    asked = {"search": search, "n_neighbors": 2, "null_pairs": 20, "seed": 1}
    declared = {"hemoglobin": {"conjunctiva": {"similar": asked}}}
    return Stage(f"similar@{ITEM}", ITEM, root, declared, {}, Runtime(), "key", cast("Any", None))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a manifest whose originals are gone."""
    monkeypatch.chdir(tmp_path)
    rows = {
        name: [f"{name}{row}" for row in range(4)]
        for name in ("sample_id", "uri", "digest", "group_id")
    }
    table = pl.DataFrame({**rows, "group": rows["group_id"], "status": "ok"})
    storage = PixelStorage(ITEM, "gone", ".assay/images/gone", 64, "stretch")
    write_table(Layout(ITEM).manifest, table, storage.facts())
    return tmp_path


def test_nothing_is_opened_where_nobody_is_to_look(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    similar.main(stage(project, "none"))
    assert "not looked for (search: none)" in capsys.readouterr().out
    pairs, how = read_table(Layout(ITEM).similar, "similar")
    assert pairs.is_empty()
    assert {"sample_a", "sample_b", "inliers", "mirrored"} <= set(pairs.columns)
    assert how == {"search": "none", "images": 4}
    assert not (project / ".assay/features").exists()


def test_a_search_opens_what_is_gone_and_says_so(project: Path) -> None:
    with pytest.raises(Exception, match="gone"):
        similar.main(stage(project, "features"))


def test_a_table_of_an_earlier_build_is_told(project: Path) -> None:
    similar.main(stage(project, "none"))
    manifest, _ = read_table(Layout(ITEM).manifest, "ingest")
    write_table(Layout(ITEM).splits, manifest.select("sample_id"), {})
    pairs, how = read_table(Layout(ITEM).similar, "similar")
    write_table(Layout(ITEM).similar, pairs, {"images": how["images"]})
    with pytest.raises(AssayError, match="looked for") as told:
        leakage.main(stage(project, "none"))
    assert told.value.mend == f"dvc repro similar@{ITEM}"
    similar.main(stage(project, "none"))  # what that command does
    assert read_table(Layout(ITEM).similar, "similar")[1]["search"] == "none"


def test_the_verdict_says_that_nobody_looked(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    similar.main(stage(project, "none"))
    manifest, _ = read_table(Layout(ITEM).manifest, "ingest")
    splits = manifest.select("sample_id", split=pl.lit("trainval"), fold=pl.int_range(4) % 2)
    write_table(Layout(ITEM).splits, splits, {})
    monkeypatch.setattr(leakage, "write_gate_page", lambda *_: None)
    leakage.main(stage(project, "none"))
    assert "similar images: NOT LOOKED FOR (similar.search: none)" in capsys.readouterr().out
    assert "NOT LOOKED FOR" in Layout(ITEM).leakage_verdict.read_text()
