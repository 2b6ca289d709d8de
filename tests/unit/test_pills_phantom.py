"""Phantom pills: boxes are where the pills are, drugs can be told apart, the published fields stand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.pills_set import labels, made, phantom_params, read

from assay.systems.pills.data.annotation import FIELDS
from assay.systems.pills.data.params import DESIGNS
from assay.systems.pills.data.phantom import photograph, shots
from assay.systems.pills.data.phantom_drugs import COLOURS, DRUGS


def test_the_box_holds_the_pill_and_little_else() -> None:
    params = phantom_params(classes=12, width=144, combinations=4)
    seen = 0
    for shot in list(shots(params))[::5]:
        picture, boxes = photograph(shot, params)
        ground = np.median(picture.reshape(-1, 3), axis=0)
        for drug, (x, y, w, h) in zip(shot.drugs, boxes, strict=True):
            middle = picture[y + h // 4 : y + 3 * h // 4, x + w // 4 : x + 3 * w // 4] / 255
            wanted = np.mean([COLOURS[name] for name in DRUGS[drug].colours], axis=0)
            if np.abs(wanted * 255 - ground).max() > 60:
                found = middle.reshape(-1, 3).mean(axis=0)
                assert found @ wanted / np.linalg.norm(found) / np.linalg.norm(wanted) > 0.97
                seen += 1
            assert 0 <= x < x + w <= picture.shape[1]
            assert 0 <= y < y + h <= picture.shape[0]
    assert seen > 20


def test_a_lower_camera_sees_a_flatter_pill() -> None:
    params = phantom_params(angles=3)
    of_round = [shot for shot in shots(params) if shot.drugs == (0,)][:3]
    flat = [photograph(shot, params)[1][0] for shot in of_round]
    assert [shot.camera[0] for shot in of_round] == [70, 75, 90]
    ratio = [height / width for _, _, width, height in flat]
    assert ratio[0] < ratio[2]
    assert ratio[2] == pytest.approx(1, abs=0.1)


def test_labels_have_the_published_keys(tmp_path: Path, real_data: Path) -> None:
    published = json.loads(next((real_data / "aihub576_example").glob("*.json")).read_text())
    mine = json.loads(labels(made(tmp_path / "set"))[0].read_text())
    assert set(mine) == set(published)
    for key in ("images", "annotations", "categories"):
        assert set(mine[key][0]) == set(published[key][0])
    assert set(FIELDS) == set(published["images"][0])
    for name, value in published["images"][0].items():
        assert type(mine["images"][0][name]) is type(value), name


def test_labels_and_files_agree(tmp_path: Path) -> None:
    folder = made(tmp_path / "set", unseen=1, lonely=1)
    table = read(folder)
    for sample, size in table.select("sample_id", "labelled").rows():
        with Image.open(folder / sample) as image:
            assert list(image.size) == size
    sessions = dict(table.group_by("drug").agg(group=table["group"].n_unique()).rows())
    assert len(sessions) == 4
    trained = set(table.filter(table["subset"] == "train")["codes"].explode())
    assert len(set(table["codes"].explode()) - trained) == 1


def test_the_section_knows_how_many_drugs_can_be_drawn() -> None:
    assert len(DRUGS) == DESIGNS
    looks = [(drug.shape, drug.colours, drug.prints) for drug in DRUGS]
    assert len(set(looks)) == len(DRUGS)
    alike = [(drug.shape, drug.length, drug.colours) for drug in DRUGS]
    assert len(set(alike)) == len(DRUGS) - 2
