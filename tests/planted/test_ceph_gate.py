"""Points that are no face, readers that are one, another machine, another numbering: stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.ceph_set import (
    CEPH,
    failed,
    judge_likeness,
    manifest,
    pn_last,
    renamed,
    sound_set,
    with_points,
)

from assay.contract.checks import Check
from assay.contract.system_capabilities import SupportsImageChecks
from assay.gates.labels import judge_labels
from assay.manifest.conflicts import apply_policy
from assay.systems.ceph.data import agreement, anatomy, checks
from assay.systems.ceph.data.landmarks import COUNT, PLACE


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sound_set(tmp_path_factory.mktemp("ceph") / "set")


@pytest.fixture(scope="session")
def kept(sound: Path, tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    return manifest(sound, tmp_path_factory.mktemp("kept"))[0]


def test_a_sound_manifest_passes(kept: pl.DataFrame) -> None:
    assert failed(kept) == set()


@pytest.mark.parametrize(
    ("change", "stops"),
    [
        (lambda points: points[..., ::-1], "facing"),
        (lambda points: points * [-1, 1] + [150, 0], "facing"),
        (lambda points: points * [1, -1] + [0, 180], "facing"),
        (lambda points: -points + 200, "facing"),
        (pn_last, "face"),
        (lambda points: points[:, ::-1], "face"),
        (lambda points: renamed(points, "UIT", "LIT"), "names"),
        (lambda points: renamed(points, "Gn", "Me"), "names"),
        (lambda points: renamed(points, "A", "ANS"), "names"),
    ],
    ids=[
        "x-y",
        "mirrored",
        "upside down",
        "turned",
        "Pn last",
        "reversed",
        "UIT-LIT",
        "Gn-Me",
        "A-ANS",
    ],
)
def test_points_that_are_no_face_are_stopped(
    kept: pl.DataFrame, change: Callable[[Any], Any], stops: str
) -> None:
    assert stops in failed(with_points(kept, change))


def test_one_mirrored_film_is_named(kept: pl.DataFrame) -> None:
    def mirror(points: Any) -> Any:
        points[5] = points[5] * [-1, 1] + [150, 0]
        return points

    check = next(c for c in checks.check_labels(with_points(kept, mirror)) if c.name == "facing")
    assert not check.passed
    assert [row["sample_id"] for row in check.rows] == [kept["sample_id"][5]]
    assert "mirrored" in check.found


def test_one_point_in_another_place_is_named(kept: pl.DataFrame) -> None:
    def astray(points: Any) -> Any:
        points[7, PLACE["Go"]] = points[7, PLACE["Pn"]]
        return points

    check = next(c for c in checks.check_labels(with_points(kept, astray)) if c.name == "place")
    assert not check.passed
    assert check.found.startswith("Go lies more than")
    assert [row["sample_id"] for row in check.rows] == [kept["sample_id"][7]]


def test_a_reader_copied_from_the_other_is_stopped(kept: pl.DataFrame) -> None:
    assert "readers" in failed(kept.with_columns(junior="senior"))


def test_another_machines_spacing_is_stopped(kept: pl.DataFrame) -> None:
    spacings = kept.group_by("machine").agg(pl.col("spacing").first()).sort("machine")
    one, other = spacings["machine"][:2]
    theirs = spacings["spacing"][1]
    is_one = pl.col("machine") == one
    whole = kept.with_columns(spacing=pl.when(is_one).then(theirs).otherwise("spacing"))
    assert kept.filter(is_one).height >= anatomy.FEWEST_ROWS
    assert failed(whole) == {"spacing"}
    row = kept.with_row_index().filter(is_one)["index"][0]
    first = pl.int_range(pl.len()) == row
    single = kept.with_columns(spacing=pl.when(first).then(theirs).otherwise("spacing"))
    check = next(c for c in checks.check_labels(single) if c.name == "spacing")
    assert not check.passed
    assert [each["sample_id"] for each in check.rows] == [kept["sample_id"][row]]
    assert other is not None


def test_a_pixel_in_micrometres_is_stopped(kept: pl.DataFrame) -> None:
    assert {"spacing", "spacing_plausible"} <= failed(kept.with_columns(pl.col("spacing") * 1000))


def test_stages_from_one_to_six_are_stopped(kept: pl.DataFrame) -> None:
    assert {"cvm_class", "cvm classes"} <= failed(kept.with_columns(pl.col("cvm") + 1))
    # Without a CS6 no class is out of range; that CS1 is absent among many still tells.
    shifted = kept.filter(pl.col("cvm") < 5).with_columns(pl.col("cvm") + 1)
    assert "cvm classes" in failed(pl.concat([shifted] * 4))
    assert "cvm classes" not in failed(pl.concat([kept] * 4))


def two_readers() -> tuple[Any, Any]:
    """Return two readers' points; each left one out that the other has."""
    senior, junior = np.random.default_rng(0).integers(0, 900, (2, 40, COUNT, 2)).astype(np.float64)
    junior[3, 4] = senior[5, 6] = np.nan
    return senior, junior


def test_what_is_learned_of_two_readers() -> None:
    senior, junior = two_readers()
    mean, alone, either = (agreement.target_of(senior, junior, way) for way in agreement.WAYS)
    assert np.array_equal(mean, (senior + junior) / 2, equal_nan=True)
    assert np.isnan(mean[3, 4]).all()
    assert np.isnan(mean[5, 6]).all()
    assert np.array_equal(alone, senior, equal_nan=True)
    assert np.array_equal(either[3, 4], senior[3, 4])
    assert np.array_equal(either[5, 6], junior[5, 6])
    assert np.array_equal(either[0], mean[0])
    # Halves stay halves: rounding up once shifted every point by a quarter of a px.
    assert (mean % 1 == 0.5).any()


@pytest.mark.parametrize("way", agreement.WAYS)
def test_targets_that_the_readers_do_not_say_are_named(way: agreement.Way) -> None:
    senior, junior = two_readers()
    true = agreement.target_of(senior, junior, way)
    assert agreement.not_the_readers(true, senior, junior) == []
    assert agreement.way_of(true, senior, junior) == way
    moved = true.copy()
    moved[6, 0, 0] += 0.25
    assert 6 in agreement.not_the_readers(moved, senior, junior)[0].rows
    if way == "senior":
        return
    (ceiled,) = agreement.not_the_readers(np.ceil(true), senior, junior)
    assert len(ceiled.rows) == 40
    assert "rounded up, +0.2" in ceiled.reason
    (rounded,) = agreement.not_the_readers(np.round(true), senior, junior)
    assert "rounded, " in rounded.reason
    assert agreement.not_the_readers(moved, senior, junior)[0].rows == (6,)


def test_ceiled_targets_stop_the_label_gate(kept: pl.DataFrame) -> None:
    def put(points: Any) -> pl.DataFrame:
        kind = pl.Array(pl.Float64, (COUNT, 2))
        return kept.with_columns(pl.Series("target", points, dtype=kind))

    target = checks.points_of(kept, "target")
    assert failed(put(np.ceil(target))) == {"target"}
    masked = target.copy()
    masked[2, :4] = np.nan
    assert failed(put(masked)) == {"target"}
    assert failed(checks.with_target(kept, "senior")) == set()
    told = next(c for c in checks.check_labels(kept) if c.name == "target")
    assert told.found == f"mean of both readers: {24 * COUNT} points on 24 films"


def test_images_that_are_not_the_points_own_are_found(sound: Path, tmp_path: Path) -> None:
    assert judge_likeness(*manifest(sound, tmp_path)) > 0.3


def test_the_gate_holds_points_against_the_stored_films(sound: Path, tmp_path: Path) -> None:
    """Points and film agree with a face each, but not with each other: the gate has to look."""
    table, store = manifest(sound, tmp_path)
    pixels = np.array(store.pixels())

    def fetch(digests: pl.Series) -> Any:
        return pixels[store.slots(digests)]

    assert isinstance(CEPH, SupportsImageChecks)
    (check,) = CEPH.check_images(table, fetch)
    assert check.passed
    assert check.checked == len(table)
    row = store.slots(table["digest"])[7]
    pixels[row] = pixels[row, :, ::-1]
    (check,) = CEPH.check_images(table, fetch)
    assert not check.passed
    assert [each["sample_id"] for each in check.rows] == [table["sample_id"][7]]
    assert "mirrored" in check.found
    (check,) = CEPH.check_images(table.head(4), fetch)
    assert check.found == "not judged: too few films with points"


def test_one_film_with_two_sets_of_points_is_a_conflict(kept: pl.DataFrame) -> None:
    """As two stages of one image are; what only one of the copies has is none."""
    one = pl.int_range(pl.len()) == 1
    twice = kept.with_columns(
        digest=pl.when(one).then(pl.col("digest").first()).otherwise("digest"),
        cvm=pl.when(one).then(pl.col("cvm").first()).otherwise("cvm"),
    )

    def copied(points: Any) -> Any:
        points[1] = points[0]
        return points

    def gapped(points: Any) -> Any:
        points[1] = points[0]
        points[1, 3] = np.nan
        return points

    def gate(table: pl.DataFrame, policy: str) -> Check:
        return next(
            check for check in judge_labels(table, "cvm", [], policy, 0.0, "ceph")
            if check.name == "identical images"
        )  # fmt: skip

    caught = gate(twice, "stop")
    assert not caught.passed
    first, second = twice["sample_id"][:2]
    assert "1 with different junior, senior, target, e.g. " in caught.found
    assert f"{first} / {second}" in caught.found
    for change in (copied, gapped):
        assert gate(with_points(twice, change), "stop").passed
    assert gate(twice, "group").passed
    dropped = apply_policy(twice, "cvm", "drop")
    assert dropped["status"].to_list()[:3] == ["dropped", "dropped", "ok"]
    two = twice.with_columns(cvm=pl.when(one).then(5 - pl.col("cvm").first()).otherwise("cvm"))
    assert "different cvm, junior" in gate(two, "stop").found
