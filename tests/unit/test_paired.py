"""Paired differences: known ones, on what both predict, with intervals by group."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from assay.errors import AssayError
from assay.lookup import find_task
from assay.sections.task import Evaluate
from assay.tracking.changes import repictured
from assay.tracking.paired import against_baseline, paired
from assay.tracking.scored import ScoredRows

TASK = find_task("hemoglobin-conjunctiva")
HOW = Evaluate(n_resamples=300, confidence_level=0.95, seed=3)


def scored(errors: np.ndarray, groups: np.ndarray | None = None) -> ScoredRows:
    """Return rows whose predictions miss by `errors` (n,); each a group of its own unless told."""
    count = len(errors)
    labels = np.linspace(8, 16, count, dtype=np.float32)[:, None]
    return ScoredRows(
        [f"s{row:03}" for row in range(count)],
        np.arange(count).astype(str) if groups is None else groups.astype(str),
        labels,
        labels + errors[:, None].astype(np.float32),
        np.full_like(labels, labels.mean()),
    )


def random_errors(count: int, spread: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, spread, count)


def test_a_known_difference_is_found_and_turns_over_with_the_two() -> None:
    signs = np.where(np.arange(20) % 2, 1.0, -1.0)
    one, other = scored(0.5 * signs), scored(2 * signs)
    mae = paired(TASK, one, other, HOW).differences["mae"]
    assert (mae.one, mae.other) == pytest.approx((0.5, 2.0), abs=1e-5)
    assert (mae.value, mae.low, mae.high) == pytest.approx((-1.5,) * 3, abs=1e-5)
    assert mae.is_beyond_zero
    back = paired(TASK, other, one, HOW).differences["mae"]
    assert (back.value, back.low, back.high) == (-mae.value, -mae.high, -mae.low)


@pytest.mark.parametrize("turned", [False, True])
def test_what_todays_metrics_do_not_take_is_refused(turned: bool) -> None:
    """The code that predicted the one said how sure it is as well; or a class is new."""
    one = scored(random_errors(20, 1))
    two = replace(one, predictions=np.hstack([one.predictions, one.predictions]))
    with pytest.raises(AssayError, match=r"predictions \(20, 2\) of labels \(20, 1\)") as told:
        paired(TASK, *((two, one) if turned else (one, two)), HOW)
    assert told.value.mend.startswith(f"dvc repro evaluate@{TASK.name} ")
    shade = find_task("toy-shade")
    labels = (np.arange(20) % 4)[:, None].astype(np.float32)
    four = replace(one, labels=labels, predictions=np.eye(4, dtype=np.float32)[np.arange(20) % 4])
    with pytest.raises(AssayError, match="more unique values"):
        paired(shade, four, replace(four, predictions=four.predictions[:, :3]), HOW)


def test_the_last_epochs_are_compared_where_both_sides_have_one() -> None:
    """By the best, which its own rows chose, the first is better; by the last it is worse."""
    signs = np.where(np.arange(20) % 2, 1.0, -1.0)
    one, other = scored(0.5 * signs), scored(2 * signs)
    one = replace(one, last=scored(3 * signs).predictions)
    assert paired(TASK, one, other, HOW).last is None
    other = replace(other, last=other.predictions)
    found = paired(TASK, one, other, HOW)
    assert found.last is not None
    assert found.last.metric == "mae"
    assert (found.last.one, found.last.other, found.last.value) == pytest.approx(
        (3, 2, 1), abs=1e-5
    )
    assert found.differences["mae"].value == pytest.approx(-1.5, abs=1e-5)
    trivial = against_baseline(TASK, one, HOW).last
    assert trivial is not None
    assert trivial.other == pytest.approx(against_baseline(TASK, one, HOW).differences["mae"].other)
    assert against_baseline(TASK, scored(signs), HOW).last is None


def test_equal_models_do_not_differ() -> None:
    one = scored(random_errors(20, 1))
    for each in paired(TASK, one, one, HOW).differences.values():
        assert each.value == 0
        assert not each.is_beyond_zero
        # What 20 groups cannot show of a share; of an error they show nothing.
        edge = 1 - 0.025 ** (1 / 20) if each.metric.startswith("acc") else math.nan
        assert (each.low, each.high) == pytest.approx((-edge, edge), nan_ok=True)
        assert not each.is_beyond_zero


def test_what_is_hard_for_both_cancels_out() -> None:
    """Errors spread by 5, the same for both but for 0.1: unpaired it drowns, paired it shows."""
    hard = np.abs(random_errors(40, 5)) + 0.2
    one, other = scored(hard), scored(hard + 0.1)
    alone = against_baseline(TASK, one, HOW).differences["mae"]
    mae = paired(TASK, one, other, HOW).differences["mae"]
    assert (mae.value, mae.low, mae.high) == pytest.approx((-0.1,) * 3, abs=1e-4)
    assert alone.high - alone.low > 1  # the rows do differ that much


def test_only_what_both_predict_is_compared_in_whatever_order() -> None:
    signs = np.where(np.arange(24) % 2, 1.0, -1.0)
    whole, rows = scored(signs), np.arange(24)
    worse = replace(whole, predictions=whole.labels + 3 * signs[:, None].astype(np.float32))
    wild = worse.predictions.copy()
    wild[20:] = 1000
    one, other = whole.at(rows[4:]), replace(worse, predictions=wild).at(rows[:20][::-1])
    wild_one = one.predictions.copy()
    wild_one[-4:] = -1000  # of rows that only the first has
    found = paired(TASK, replace(one, predictions=wild_one), other, HOW)
    assert (found.rows, found.groups, found.only_one, found.only_other) == (16, 16, 4, 4)
    mae = found.differences["mae"]
    assert (mae.one, mae.other, mae.low, mae.high) == pytest.approx((1, 3, -2, -2), abs=1e-5)


def test_relabelled_rows_are_left_out_and_counted() -> None:
    signs = np.where(np.arange(12) % 2, 1.0, -1.0)
    one, other = scored(signs), scored(2 * signs)
    labels, predictions = other.labels.copy(), other.predictions.copy()
    labels[3:5] += 0.1
    predictions[3:5] = 1000
    found = paired(TASK, one, replace(other, labels=labels, predictions=predictions), HOW)
    assert (found.relabelled, found.rows, found.groups) == (2, 10, 10)
    assert found.differences["mae"].other == pytest.approx(2, abs=1e-5)


def test_repeated_rows_of_a_group_do_not_narrow_the_interval() -> None:
    """Ten pictures of each of 15 persons say no more than one of each; by row they would seem to."""
    one, other = scored(random_errors(15, 1, 1)), scored(random_errors(15, 1, 2))
    rows = np.repeat(np.arange(15), 10)
    ids = [f"r{number:03}" for number in range(len(rows))]
    many, others = (replace(each.at(rows), sample_ids=ids) for each in (one, other))
    once = paired(TASK, one, other, HOW).differences["mae"]
    often = paired(TASK, many, others, HOW)
    assert (often.groups, often.rows) == (15, 150)
    mae = often.differences["mae"]
    assert (mae.low, mae.high) == pytest.approx((once.low, once.high), abs=1e-6)
    by_row = replace(many, groups=np.array(ids))
    narrow = paired(TASK, by_row, others, HOW).differences["mae"]
    assert narrow.high - narrow.low < 0.5 * (mae.high - mae.low)


def test_the_groups_of_the_first_are_drawn() -> None:
    one = scored(random_errors(12, 1, 1), groups=np.arange(12) // 3)
    other = scored(random_errors(12, 1, 2))
    assert paired(TASK, one, other, HOW).groups == 4
    assert paired(TASK, other, one, HOW).groups == 12


def test_equal_input_gives_equal_numbers() -> None:
    one, other = scored(random_errors(15, 1, 1)), scored(random_errors(15, 1, 2))
    assert paired(TASK, one, other, HOW) == paired(TASK, one, other, HOW)


def test_fewer_than_two_common_groups_are_refused() -> None:
    whole = scored(random_errors(10, 1))
    rows = np.arange(10)
    with pytest.raises(AssayError, match=r"0 group\(s\) in common: 0 common rows of 5 and 5"):
        paired(TASK, whole.at(rows[:5]), whole.at(rows[5:]), HOW)
    of_one_person = replace(whole, groups=np.full(10, "p"))
    with pytest.raises(AssayError, match=r"1 group\(s\) in common: 10 common rows"):
        paired(TASK, of_one_person, whole, HOW)
    relabelled = replace(whole, labels=whole.labels + 1)
    with pytest.raises(AssayError, match="10 of them relabelled"):
        paired(TASK, whole, relabelled, HOW)
    two = replace(whole, labels=np.hstack([whole.labels, whole.labels]))
    with pytest.raises(AssayError, match="1 and 2 columns of labels"):
        paired(TASK, whole, two, HOW)


def test_the_baseline_is_the_other_column() -> None:
    one = scored(random_errors(30, 0.1))
    mae = against_baseline(TASK, one, HOW).differences["mae"]
    trivial = float(np.abs(one.baseline - one.labels).mean())
    assert mae.other == pytest.approx(trivial, abs=1e-5)
    assert mae.high < 0


def test_one_id_with_two_pictures_is_named(tmp_path: Path) -> None:
    """Rows of one shared file are not judged: its digest changes with any of them."""

    def table(name: str, digests: list[str]) -> Path:
        ids, uris = ["a", "b", "c", "d"], ["a.png", "b.png", "all.npy", "all.npy"]
        path = tmp_path / name
        pl.DataFrame({"sample_id": ids, "uri": uris, "digest": digests}).write_parquet(path)
        return path

    one, other = table("one", ["1", "2", "3", "3"]), table("other", ["1", "9", "8", "8"])
    assert repictured(one, other) == {"b"}
    assert repictured(one, one) == set()
