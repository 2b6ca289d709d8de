"""Sixty real films of two readers, and the published tables of Aariz."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.ceph_set import (
    failed,
    judge_likeness,
    manifest,
    pn_last,
    renamed,
    with_points,
)

from assay.manifest.index import OK
from assay.manifest.source import Source
from assay.systems.ceph.data import checks, units
from assay.systems.ceph.data.annotations import read_points
from assay.systems.ceph.data.landmarks import LANDMARKS, PLACE, STAGE_IDS, SYMBOLS
from assay.systems.ceph.data.machines import TABLE


def test_the_landmarks_are_the_published_29(real_data: Path) -> None:
    published = json.loads((real_data / "aariz_meta/landmarks_29.json").read_text())
    mine = [(mark.id, mark.title, mark.symbol) for mark in LANDMARKS]
    assert mine == [(each["landmark_id"], each["title"], each["symbol"]) for each in published]
    stages = json.loads((real_data / "aariz_meta/cvm_stages.json").read_text())
    assert tuple(each["id"] for each in stages) == STAGE_IDS


def test_the_published_example_is_read(real_data: Path) -> None:
    content = (real_data / "aariz_meta/example_senior.json").read_bytes()
    reading = read_points(content, "cks2ip8fq2a0j0yufdfssbc09")
    assert reading.points[PLACE["A"]].tolist() == [1315, 1086]
    assert reading.faults == []
    assert np.isnan(np.delete(reading.points, PLACE["A"], axis=0)).all()


KNOWN = {
    "hamedan002": ["senior: LIT twice", "junior: PNS twice", "junior: ANS missing"],
    "hamedan009": ["senior: Sn twice"],
    "hamedan010": ["senior: UIT twice"],
}


@pytest.mark.real
def test_all_real_films_are_kept_and_exactly_the_known_faults_named(
    real_data: Path, tmp_path: Path
) -> None:
    table, store = manifest(real_data / "hamedan_aariz", tmp_path)
    assert len(table) == 60
    assert (table["status"] == OK).all()
    told = {
        film: faults for film, faults in table.select("sample_id", "point_faults").rows() if faults
    }
    assert told == KNOWN
    senior, junior = (checks.points_of(table, reader) for reader in ("senior", "junior"))
    seen = np.isfinite(senior).all(axis=2)
    assert [SYMBOLS[place] for place in np.flatnonzero(seen.any(axis=0))] == [
        "A", "ANS", "B", "Me", "N", "Or", "Pog", "PNS", "S", "Ar", "Gn", "Go", "Po", "LIT", "UIT",
        "Li", "Ls", "Pog`", "Sn",
    ]  # fmt: skip
    assert seen.sum() == 60 * 19 - 3
    assert np.isfinite(junior).all(axis=2).sum() == 60 * 19 - 2
    apart = np.linalg.norm(senior - junior, axis=2)
    assert np.nanmean(apart) == pytest.approx(11.5, abs=0.1)
    assert np.nanmedian(apart) == pytest.approx(8.6, abs=0.1)
    assert failed(table) == set()
    assert judge_likeness(table, store) > 0.3


@pytest.mark.real
def test_real_films_with_planted_faults_are_stopped(real_data: Path, tmp_path: Path) -> None:
    table, _ = manifest(real_data / "hamedan_aariz", tmp_path, 32)
    assert "facing" in failed(with_points(table, lambda points: points[..., ::-1]))
    assert "facing" in failed(with_points(table, lambda points: points * [-1, 1] + [1340, 0]))
    assert "face" in failed(with_points(table, pn_last))
    assert "names" in failed(with_points(table, lambda points: renamed(points, "UIT", "LIT")))


@pytest.mark.real
def test_the_published_machine_table_has_one_spacing_a_machine(real_data: Path) -> None:
    from assay.systems.ceph.data.machines import read_machines

    films = read_machines(Source("aariz_meta", real_data), TABLE)
    assert len(films) == 1000
    assert not [unit for unit in films.values() if unit.faults or unit.spacing is None]
    machines = [unit.machine for unit in films.values()]
    spacing = np.array([unit.spacing for unit in films.values()], dtype=np.float64)
    assert len(set(machines)) == 7
    assert units.odd_spacing(machines, spacing) == []
    assert len(units.odd_spacing(machines, np.where(np.arange(1000) == 5, 0.144, spacing))) == 1
