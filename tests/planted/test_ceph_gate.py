"""Points that are no face, readers that are one, another machine, another numbering: stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.ceph_set import (
    failed,
    judge_likeness,
    manifest,
    pn_last,
    renamed,
    sound_set,
    with_points,
)

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


def test_targets_that_are_not_the_readers_mean_are_named() -> None:
    random = np.random.default_rng(0)
    senior, junior = random.integers(0, 900, (2, 40, COUNT, 2)).astype(np.float64)
    junior[3, 4] = np.nan
    mean = (senior + junior) / 2
    assert agreement.not_the_mean(mean, senior, junior) == []
    (ceiled,) = agreement.not_the_mean(np.ceil(mean), senior, junior)
    assert len(ceiled.rows) == 40
    assert "rounded up, +0.2" in ceiled.reason
    (rounded,) = agreement.not_the_mean(np.round(mean), senior, junior)
    assert "rounded, " in rounded.reason
    moved = mean.copy()
    moved[6, 0, 0] += 0.25
    assert [finding.rows for finding in agreement.not_the_mean(moved, senior, junior)] == [(6,)]


def test_images_that_are_not_the_points_own_are_found(sound: Path, tmp_path: Path) -> None:
    assert judge_likeness(*manifest(sound, tmp_path)) > 0.3
