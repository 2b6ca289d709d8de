"""The complete CP-AnemiC set: what is known of it is found, and the run goes on as policy says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import polars as pl
import pytest
from tests.conftest import DATA, TASK, Project
from tests.ingest import indexed

from assay.lookup import find_system
from assay.manifest.source import Source

pytestmark = pytest.mark.real


@pytest.fixture
def source(real_data: Path) -> str:
    folder = real_data / "cp_anemic"
    if not folder.is_dir():
        pytest.skip(f"no cp_anemic in {real_data}")
    return str(folder)


def test_the_gate_stops_then_policy_lets_the_run_go_on_to_a_candidate(
    finished: Project, source: str, tmp_path: Path
) -> None:
    folder = tmp_path / "cp_anemic"
    shutil.copytree(source, folder, copy_function=shutil.copyfile)
    finished.set(**{f"{DATA}.source": str(folder)})
    said = finished.run("dvc", "repro", fails=True)
    assert "91 groups of identical images (303 rows), 90 with different hb" in said
    assert "710 rows, 710 readable, 614 used" in said
    verdict = finished.json(f"reports/{DATA}/labels.json")
    [groups] = [check["rows"] for check in verdict["checks"] if check["name"] == "identical images"]
    assert len(groups) == 91
    assert sum(group["rows"] for group in groups) == 303

    finished.set(**{f"{DATA}.policy.conflict": "drop", f"{TASK}.train.epochs": 2})
    said = finished.run("dvc", "repro", fails=True)
    assert "710 rows, 710 readable, 409 without conflicts, 372 used" in said
    assert "STOP  similar images" in said  # the same eye under other ids, in two parts
    finished.set(**{f"{DATA}.policy.similar": "group"})
    finished.commit("Train on CP-AnemiC")
    said += finished.run("dvc", "repro")
    assert re.search(r"371 groups, \d{3} after joining near-identical images", said)
    assert "301  conflict: dropped" in said
    assert "37  hb outside 8–16" in said
    # Ids that number files are no patients: images, and the groups of near-identical ones.
    assert re.search(r"\d+ images in \d+ groups · cp_anemic", said)
    _identical_bytes_stay_together(finished)
    finished.commit("Train")
    assert f"{TASK} v1 registered" in finished.assay("register", TASK)
    # A source is no DVC dependency: what changes in it after the training is found at the door.
    table = folder / "conj_folder2.csv"
    table.write_text(table.read_text() + "Anemic/Image_001.png,9.8,Image_001\n")
    assert "holds other files than when" in finished.assay("register", TASK, fails=True)


def _identical_bytes_stay_together(project: Project) -> None:
    manifest = pl.read_parquet(project.folder / f"data/{DATA}/manifest.parquet")
    splits = pl.read_parquet(project.folder / f"data/{DATA}/splits.parquet")
    placed = manifest.join(splits, on="sample_id")
    parts = placed.group_by("digest").agg(pl.struct("split", "fold").n_unique(), pl.len())
    assert parts.filter(pl.col("len") > 1).height == 1  # the one group without a conflict
    assert parts["split"].max() == 1


def test_a_snapshot_of_it_states_what_its_ids_are(finished: Project, source: str) -> None:
    said = finished.assay("snapshot", DATA, source, "--origin", "Mendeley Data, CP-AnemiC")
    assert "712 files listed" in said  # 710 images, the sheet, and the table it is held against
    snapshot = finished.json(f"data/{DATA}.source.json")
    assert snapshot["group_kind"] == "content"
    assert snapshot["origin"] == "Mendeley Data, CP-AnemiC"
    finished.assay("snapshot", DATA, source, "--licence", "CC BY 4.0")
    again = finished.json(f"data/{DATA}.source.json")
    assert again == {**snapshot, "licence": "CC BY 4.0"}  # what was stated before stays


@pytest.mark.parametrize("absent", ["Anemia_Data_Collection_Sheet.csv", "conj_folder2.csv", ""])
def test_its_own_sheet_says_what_the_other_table_says(
    source: str, tmp_path: Path, absent: str
) -> None:
    folder = tmp_path / "cp_anemic"
    folder.mkdir()
    for each in Path(source).iterdir():
        if each.name != absent:
            (folder / each.name).symlink_to(each)
    place = Source("cp_anemic", tmp_path)
    table, _ = indexed(place, find_system(DATA).read(place), tmp_path)
    assert table["status"].to_list() == ["ok"] * 710
    # What the founders' own table says, joined to what the files are.
    said = pl.read_csv(Path(source) / "conj_folder2.csv")
    said = said.select(
        sample_id="f2:" + pl.col("image_path"), hb="hb_value", group="f2:" + pl.col("patient_id")
    )
    assert table.select(said.columns).equals(said.sort("sample_id"))
    digests = pl.read_csv(Path(source) / "folds.csv").sort("image_path")["content_md5"]
    assert table["digest"].to_list() == digests.to_list()
    clinics = table["clinic"].n_unique() if "clinic" in table.columns else 0
    assert clinics == (0 if absent.startswith("Anemia") else 10)
