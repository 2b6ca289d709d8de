"""The reader of the Aariz layout: what it reads, what it masks, and how it says so."""

from __future__ import annotations

import json
import shutil
import threading
import zipfile
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.ceph_set import (
    CEPH,
    edit,
    entry,
    faults_of,
    manifest,
    note,
    point,
    read,
    sound_set,
)

from assay.errors import SourceError
from assay.manifest.index import OK
from assay.manifest.source import Source
from assay.manifest.table import read_table, write_table
from assay.systems.ceph.data import checks
from assay.systems.ceph.data.annotations import read_stage
from assay.systems.ceph.data.landmarks import COUNT, STAGE_IDS
from assay.systems.ceph.data.layout import KINDS
from assay.systems.ceph.data.machines import TABLE


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sound_set(tmp_path_factory.mktemp("ceph") / "set")


@pytest.fixture
def copy(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "copy"))


def test_a_sound_set_is_read_as_it_was_written(sound: Path) -> None:
    table = read(sound)
    assert len(table) == 24
    assert table["fault"].is_null().all()
    assert faults_of(sound) == {}
    assert set(table["subset"]) == {"train", "valid", "test"}
    assert table["cvm"].value_counts()["count"].to_list() == [4] * 6
    assert table.schema["senior"] == pl.Array(pl.Float64, (COUNT, 2))
    told = json.loads(note(sound, "senior").read_text())
    wanted = [entry(told, "S")["value"][axis] for axis in "xy"]
    assert point(table, told["ceph_id"], "senior", "S").tolist() == wanted


def test_a_set_reads_the_same_from_a_zip_with_a_folder_of_its_own(
    sound: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in sorted(sound.rglob("*")):
            archive.write(path, Path("Aariz") / path.relative_to(sound))
    table = CEPH.read(Source("set.zip", tmp_path)).table
    same = table.with_columns(pl.col("uri").str.strip_prefix("Aariz/"))
    assert same.equals(read(sound))


class Quiet(SimpleHTTPRequestHandler):
    """A web server without listings and without a word."""

    def list_directory(self, path: Any) -> None:
        self.send_error(404)

    def log_message(self, *said: object) -> None:
        pass


def test_on_a_web_server_the_machine_table_names_the_films(sound: Path, tmp_path: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(sound)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        base = f"http://127.0.0.1:{server.server_port}"
        table = CEPH.read(Source(base, tmp_path)).table
    finally:
        server.shutdown()
        server.server_close()
    assert table.sort("sample_id").equals(read(sound).sort("sample_id"))


DOUBLED = ("senior: LIT twice", lambda told: told["landmarks"].append(entry(told, "LIT")))
MISSING = ("senior: S missing", lambda told: told["landmarks"].remove(entry(told, "S")))
UNKNOWN = (
    "senior: unknown landmark_id nobody (Sella)",
    lambda told: entry(told, "S").update(landmark_id="nobody"),
)
TEXT = ("senior: S x is '12', not a number", lambda told: entry(told, "S")["value"].update(x="12"))
NO_VALUE = ("senior: S x is None, not a number", lambda told: entry(told, "S").pop("value"))
TWO_NAMES = (
    "senior: one point named as N and S",
    lambda told: entry(told, "S").update(title="Nasion", symbol="N"),
)


@pytest.mark.parametrize(
    ("fault", "symbol"),
    [
        (DOUBLED, "LIT"),
        (MISSING, "S"),
        (UNKNOWN, "S"),
        (TEXT, "S"),
        (NO_VALUE, "S"),
        (TWO_NAMES, "S"),
    ],
    ids=["doubled", "missing", "unknown", "text", "no value", "two names"],
)
def test_a_fault_masks_its_point_alone_and_is_named(
    copy: Path, fault: tuple[str, Callable[[dict[str, Any]], object]], symbol: str
) -> None:
    name, change = fault
    film = edit(note(copy, "senior"), change)
    assert name in faults_of(copy)[film]
    table = read(copy)
    assert np.isnan(point(table, film, "senior", symbol)).all()
    assert np.isfinite(point(table, film, "junior", symbol)).all()
    assert np.isnan(checks.points_of(table, "senior")).sum() == 2
    assert table["fault"].is_null().all()


def test_a_landmark_is_found_by_title_where_it_has_no_id(copy: Path) -> None:
    film = edit(note(copy, "senior"), lambda told: entry(told, "S").pop("landmark_id"))
    assert faults_of(copy) == {}
    assert np.isfinite(point(read(copy), film, "senior", "S")).all()


def test_the_order_in_a_file_and_more_keys_mean_nothing(copy: Path) -> None:
    before = read(copy)
    edit(note(copy, "senior"), lambda told: told["landmarks"].reverse())
    edit(note(copy, "junior"), lambda told: told.update(open_issues=0, landmarks=told["landmarks"]))
    assert read(copy).equals(before)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "senior: not JSON"),
        (b"{", "senior: not JSON"),
        (b"[1]", "senior: not a JSON object"),
        (b'{"ceph_id": "another", "landmarks": []}', "senior: ceph_id is 'another'"),
    ],
)
def test_a_file_that_says_nothing_masks_the_reader_alone(
    copy: Path, content: bytes, named: str
) -> None:
    path = note(copy, "senior")
    path.write_bytes(content)
    table = read(copy)
    row = table["sample_id"].to_list().index(path.stem)
    assert faults_of(copy)[path.stem][0].startswith(named)
    assert len(faults_of(copy)[path.stem]) == 1
    assert np.isnan(checks.points_of(table, "senior")[row]).all()
    assert np.isfinite(checks.points_of(table, "junior")[row]).all()
    assert table["fault"][row] is None


def test_a_reader_without_a_file_is_named_and_the_film_kept(copy: Path) -> None:
    path = note(copy, "junior")
    path.unlink()
    assert faults_of(copy) == {path.stem: ["junior: no file"]}
    assert read(copy)["fault"].is_null().all()


def test_a_film_without_any_label_cannot_be_used(copy: Path) -> None:
    film = note(copy, "cvm").stem
    for kind in KINDS:
        (copy / note(copy, kind).relative_to(copy)).unlink()
    faults = dict(read(copy).select("sample_id", "fault").rows())
    assert faults.pop(film) == "no label: neither a point nor a CVM stage"
    assert set(faults.values()) == {None}


def test_annotations_without_an_image_and_two_images_of_one_id_are_named(copy: Path) -> None:
    images = sorted(copy.glob("train/Cephalograms/*"))
    images[0].unlink()
    shutil.copy(images[1], images[1].with_suffix(".jpeg"))
    faults = dict(read(copy).select("sample_id", "fault").rows())
    assert faults[images[0].stem] == "annotations without an image"
    assert faults[images[1].stem].startswith("2 files of one name: ")
    assert sum(fault is not None for fault in faults.values()) == 2
    assert len(faults) == 24


@pytest.mark.parametrize("value", [0, 7, "3", 2.5, None, True])
def test_a_stage_outside_its_range_is_masked_and_named(copy: Path, value: object) -> None:
    film = edit(note(copy, "cvm"), lambda told: told["cvm_stage"].update(value=value))
    (fault,) = faults_of(copy)[film]
    assert fault == f"cvm: value {value!r}, expected 1 to 6"
    table = read(copy)
    assert table.filter(pl.col("sample_id") == film)["cvm"].to_list() == [None]
    assert table["cvm"].null_count() == 1


def test_a_stage_that_contradicts_its_id_is_masked() -> None:
    told = {"ceph_id": "f", "cvm_stage": {"id": STAGE_IDS[2], "title": "CVM-S3", "value": 4}}
    assert read_stage(json.dumps(told).encode(), "f") == (None, "value 4, but the id of stage 3")
    told["cvm_stage"]["value"] = 3
    assert read_stage(json.dumps(told).encode(), "f") == (2, None)
    assert read_stage(None, "f") == (None, None)


def test_the_machine_table_gives_spacing_and_its_faults_are_named(copy: Path) -> None:
    assert read(copy)["spacing"].is_not_null().all()
    table = copy / TABLE
    lines = table.read_text().splitlines()
    first, second, third, fourth = (line.split(",") for line in lines[1:5])
    lines[1] = ",".join([*first[:2], "0,6", *first[3:]])  # a decimal comma: one field too many
    lines[2] = ",".join([*second[:2], "-1", *second[3:]])
    other = "Valid" if third[4] != "Valid" else "Test"
    lines[3] = ",".join([*third[:4], other])
    del lines[4]
    table.write_text("\n".join(lines))
    faults = faults_of(copy)
    assert "6 fields, expected 5" in faults[first[0]][0]
    assert faults[second[0]] == ["machine: pixel_size '-1' is no length"]
    lies = third[4].lower()
    assert faults[third[0]] == [f"machine: mode {other}, but it lies in {lies}"]
    assert faults[fourth[0]] == ["machine: no line"]
    assert read(copy)["spacing"].null_count() == 3
    assert read(copy)["fault"].is_null().all()


def test_a_set_without_its_machine_table_has_no_spacing(copy: Path) -> None:
    (copy / TABLE).unlink()
    assert read(copy)["spacing"].is_null().all()
    assert faults_of(copy) == {}


def test_a_folder_without_films_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no film of the published layout"):
        read(tmp_path)


def test_a_point_outside_its_film_is_masked_and_named(copy: Path, tmp_path: Path) -> None:
    film = edit(note(copy, "senior"), lambda told: entry(told, "Me")["value"].update(y=5000))
    table, _ = manifest(copy, tmp_path)
    faults = dict(table.select("sample_id", "point_faults").rows())
    assert len(faults[film]) == 1
    assert faults[film][0].startswith("senior: Me (")
    assert faults[film][0].endswith("lies outside the film")
    assert np.isnan(point(table, film, "senior", "Me")).all()
    assert (table["status"] == OK).all()


def test_a_manifest_keeps_points_through_parquet(sound: Path, tmp_path: Path) -> None:
    table, _ = manifest(sound, tmp_path)
    write_table(tmp_path / "manifest.parquet", table, {})
    again, _ = read_table(tmp_path / "manifest.parquet", "ingest@ceph")
    assert again.equals(table)
