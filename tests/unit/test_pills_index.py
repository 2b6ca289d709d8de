"""The AI-Hub tree: names in two languages, labels merged, paired, kept, and read once."""

from __future__ import annotations

import json
import os
import shutil
import unicodedata
from pathlib import Path

import polars as pl
import pytest
from tests.pills_set import edit, faults_of, labels, made, read

from assay.errors import SourceError
from assay.manifest.source import Source
from assay.systems.pills.data.aihub import AiHub
from assay.systems.pills.data.annotation import DRUG, FIELDS, OWN, SHOT, decode_label
from assay.systems.pills.data.index import UNVERIFIED, build_index
from assay.systems.pills.data.names import codes_named, part_of, session


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("pills") / "set")


@pytest.fixture
def copy(sound: Path, tmp_path: Path) -> Path:
    shutil.copytree(sound, tmp_path / "set")
    return tmp_path / "set"


@pytest.mark.parametrize(
    ("folder", "name", "subset", "mode", "is_labels"),
    [
        ("data/train/images/single/TS_3_single", "TS_3_single", "train", "single", False),
        ("data/val/labels/combination/VL_1_combo", "VS_1_combo", "test", "combination", True),
        ("01.데이터/1.Training/라벨링데이터/단일경구약제 5000종/TL_81_단일", "TS_81_단일", "train",
         "single", True),
        ("2.Validation/원천데이터/VS_1_조합", "VS_1_조합", "test", "combination", False),
        ("data/test/images/single/TS_1_single", "TS_1_single", "test", "single", False),
    ],
)  # fmt: skip
def test_parts_are_known_by_their_names(
    folder: str, name: str, subset: str, mode: str, is_labels: bool
) -> None:
    for form in ("NFC", "NFD"):
        part = part_of(unicodedata.normalize(form, folder))
        assert part is not None
        assert (part.name, part.subset, part.mode, part.is_labels) == (
            name,
            subset,
            mode,
            is_labels,
        )


def test_images_and_labels_of_one_part_share_a_key_and_others_do_not() -> None:
    pairs = {
        name: part_of(name)
        for name in (
            "1.Training/원천데이터/a/TS_1_단일", "1.Training/라벨링데이터/b/TL_1_단일",
            "2.Validation/원천데이터/VS_1_단일", "1.Training/원천데이터/TS_1_조합", "x/TS_1_단일",
        )
    }  # fmt: skip
    keys = [part.key for part in pairs.values() if part is not None]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 4
    assert part_of("data/train") is None
    assert part_of("TS_1_단일.zip") is None


def test_sessions_and_codes_are_read_from_the_end_and_the_start_of_a_name() -> None:
    names = ["K-000250-000573_0_2_0_2_70_000_200.png", "K-000030_0_2_0_1_90_300_200.png", "x.png"]
    table = pl.DataFrame({"name": names}).select(
        session=session(pl.col("name")), codes=codes_named(pl.col("name"))
    )
    assert table["session"].to_list() == ["K-000250-000573_0_2_0_2", "K-000030_0_2_0_1", "x"]
    assert table["codes"].to_list() == [["K-000250", "K-000573"], ["K-000030"], []]


def test_the_50_fields_are_kept(copy: Path, tmp_path: Path) -> None:
    index = build_index(copy, tmp_path / "index")
    assert len(FIELDS) == len(set(FIELDS)) == 50
    assert (*index.drugs.columns,) == DRUG
    assert (*index.shots.columns,) == SHOT
    assert set(OWN) <= set(index.labels.columns)
    assert (index.labels["status"] == UNVERIFIED).all()
    for row in index.labels[::7].iter_rows(named=True):
        told = json.loads((copy / row["folder"] / row["name"]).read_text())["images"][0]
        kept = {
            **{name: row[name] for name in OWN}, **index.shots.row(row["shot"], named=True),
            **index.drugs.row(row["drug"], named=True),
        }  # fmt: skip
        assert set(told) == set(kept)
        for name, value in told.items():
            same = kept[name] == (value if isinstance(kept[name], float) else str(value))
            assert same, (name, value, kept[name])


def test_labels_of_one_photograph_are_merged_and_paired(sound: Path) -> None:
    table = read(sound)
    assert table["fault"].null_count() == len(table) == (4 * 2 + 2 * 2 + 4) * 3
    assert table["codes"].list.len().sum() == len(labels(sound))
    for row in table.iter_rows(named=True):
        assert (sound / row["sample_id"]).is_file()
        assert row["codes"] == row["named"]
        assert len(row["boxes"]) == len(row["classes"]) == len(row["names"]) == len(row["codes"])
        assert (row["mode"] == "single") == (len(row["codes"]) == 1)


def test_equal_names_in_two_parts_are_two_photographs(copy: Path) -> None:
    before = len(read(copy))
    for half, kind in (("images", "S"), ("labels", "L")):
        part = copy / "data/train" / half / "single"
        shutil.copytree(part / f"T{kind}_1_single", part / f"T{kind}_2_single")
    table = read(copy)
    assert len(table) > before
    assert table["fault"].is_null().all()
    assert (table["codes"].list.len() <= 4).all()


def test_korean_folders_say_the_same(sound: Path, tmp_path: Path) -> None:
    korean = read(made(tmp_path / "korean", folders="korean"))
    english = read(sound)
    what = ["codes", "boxes", "mode", "subset", "group", "drug"]
    assert (
        korean.sort("group", "boxes")
        .select(what)
        .equals(english.sort("group", "boxes").select(what))
    )
    assert korean["sample_id"].str.contains("원천데이터").all()


def test_contact_sheets_and_hidden_files_are_passed_over(copy: Path) -> None:
    before = read(copy)
    assert list(copy.rglob("*_index.png"))
    image = next(copy.rglob("*_200.png"))
    (image.parent / f"._{image.name}").write_bytes(b"macOS")
    label = labels(copy)[0]
    (label.parent / f"._{label.name}").write_bytes(b"macOS")
    assert read(copy).equals(before)


def test_a_link_that_leads_nowhere_is_named(copy: Path) -> None:
    image = min(copy.rglob("*_200.png"))
    image.unlink()
    image.symlink_to(copy / "nowhere.png")
    label = labels(copy, "*single*/*/*")[-1]
    label.unlink()
    label.symlink_to(copy / "nowhere.json")
    faults = faults_of(copy)
    assert faults.pop(image.name) == "broken link"
    assert faults == {f"{label.stem}.png": "label: cannot be read: No such file or directory"}


def test_a_second_pass_opens_what_changed_alone(copy: Path, tmp_path: Path) -> None:
    cache = tmp_path / "index"
    first = build_index(copy, cache)
    assert first.opened == len(labels(copy))
    again = build_index(copy, cache)
    assert again.opened == 0
    assert again.labels.equals(first.labels)
    changed, gone = labels(copy)[3], labels(copy)[5]
    edit(changed, lambda told: told["annotations"][0].update(bbox=[1, 2, 3, 4]))
    gone.unlink()
    third = build_index(copy, cache)
    assert third.opened == 1
    assert len(third.labels) == len(first.labels) - 1
    shutil.rmtree(cache)
    fresh = build_index(copy, cache)
    columns = [name for name in fresh.labels.columns if name not in {"shot", "drug"}]
    assert fresh.labels.select(columns).equals(third.labels.select(columns))


def test_an_edit_of_equal_size_is_seen_by_its_time(copy: Path, tmp_path: Path) -> None:
    build_index(copy, tmp_path / "index")
    label = labels(copy)[0]
    content = label.read_bytes()
    label.write_bytes(content.replace(b"20990", b"20991"))
    os.utime(label, ns=(1, 1))
    assert build_index(copy, tmp_path / "index").opened == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "label: not JSON"),
        (b"[]", "label: Expected `object`"),
        (b'{"images": [], "annotations": []}', "label: Expected `array` of length 1"),
        (b'{"images": [{"file_name": 3}], "annotations": []}', "label: Expected `str`"),
    ],
)
def test_a_label_that_is_none_has_a_reason(content: bytes, reason: str) -> None:
    told = decode_label(content)
    assert isinstance(told, str)
    assert told.startswith(reason)


def test_a_source_that_is_no_tree_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file.zip").write_bytes(b"")
    with pytest.raises(SourceError, match="read from a folder"):
        AiHub().read(Source("file.zip", tmp_path))
    with pytest.raises(SourceError, match="no photograph of the published layout"):
        AiHub().read(Source(".", tmp_path))
