"""Intervals where every resample says the same: all right, all wrong, no error, no difference."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from assay.contract.score import Score
from assay.learning.intervals import SHARE, group_intervals, is_share
from assay.learning.scoring import score
from assay.lookup import find_task
from assay.sections.task import Evaluate
from assay.tracking.paired import paired
from assay.tracking.scored import ScoredRows

HOW = Evaluate(n_resamples=100, confidence_level=0.95, seed=1, best_of=1)
TASK = find_task("pills-classifier")


def interval(right: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    """Return the interval of a share of right answers; nan are rows that the share is not of."""

    def share(rows: np.ndarray) -> list[float]:
        own = right[rows]
        known = own[~np.isnan(own)]
        return [float(known.mean()) if known.size else math.nan]

    [found] = group_intervals(groups, share, 100, 0.95, 1, [SHARE])
    return found


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_all_of_80_alike_is_an_interval(value: float) -> None:
    found = interval(np.full(80, value), np.arange(80))
    # Clopper and Pearson: 0.025 ** (1 / 80) is 0.9549.
    assert found == pytest.approx((0.9549, 1) if value else (0, 0.0451), abs=1e-4)


def test_groups_count_and_not_their_rows() -> None:
    """80 rows of 8 people prove as much as 8 people do."""
    assert interval(np.ones(80), np.arange(80) // 10) == interval(np.ones(8), np.arange(8))


def test_groups_that_have_nothing_of_it_do_not_count() -> None:
    """Of 80 photographs 5 are of one pill: a share of those rests on 5."""
    right = np.full(80, math.nan)
    right[:5] = 1
    assert interval(right, np.arange(80)) == interval(np.ones(5), np.arange(5))


LEVELS = (0.7, 0.8, 0.83, 0.84, 0.86, 0.9, 0.94, 0.97)
SETS, MOST = 4000, 124  # misses of them at a rate of 0.025 that 1 % of such series exceed
PEOPLE = np.repeat(np.arange(20), 4)


def misses(p: float, low: float) -> int:
    """Count the sets of 20 people, each named rightly with probability p, that are all right and lie."""
    random = np.random.default_rng(int(1000 * p))
    all_right = (random.random((SETS, 20)) < p).all(
        axis=1
    )  # what others are the bootstrap answers for
    return int(all_right.sum()) if low > p else 0


@pytest.mark.parametrize("p", LEVELS)
def test_all_right_holds_the_truth_as_often_as_it_says(p: float) -> None:
    """The lower end may err in 2.5 %; a series is refused when it errs significantly (1 %) more often."""
    assert misses(p, interval(np.ones(80), PEOPLE)[0]) <= MOST


@pytest.mark.parametrize("groups", ["rows", "a point"])
def test_counting_rows_or_a_point_would_be_seen(groups: str) -> None:
    """The planted mistakes: 80 independent rows, where 20 people have 4 each; and no interval at all."""
    low = interval(np.ones(80), np.arange(80))[0] if groups == "rows" else 1.0
    assert max(misses(p, low) for p in LEVELS) > MOST


def test_no_error_at_all_has_no_interval() -> None:
    """An error in a person whom nobody saw may be of any size: [0, 0] would promise that it is not."""
    [(low, high)] = group_intervals(np.arange(80), lambda rows: [0.0], 100, 0.95, 1)
    assert math.isnan(low)
    assert math.isnan(high)


@pytest.mark.parametrize(
    ("name", "share"),
    [
        *((name, True) for name in ("accuracy", "top1", "map50_95", "miou", "sdr_2.5mm", "acc_0.5",
                                    "finding_f1", "naming_top1", "unseen_share", "within_one",
                                    "pixel_accuracy", "macro_f1", "exact_list")),
        *((name, False) for name in ("mae", "r2", "pearson_r", "weighted_kappa", "log_loss", "skill",
                                     "mre_px", "mse_g", "rmse")),
    ],
)  # fmt: skip
def test_shares_are_known_by_name(name: str, share: bool) -> None:
    assert is_share(name) == share


class Perfect:
    """What has no error where the trivial predictor has some."""

    metrics_version = 1

    def __init__(self, headline: Score) -> None:
        self.headline = headline

    def scores(self, own: float, trivial: Sequence[float]) -> dict[str, dict[str, float]]:
        beside = np.array(trivial, np.float32)[:, None]
        said, rows = np.full_like(beside, own), np.arange(len(beside))
        found: dict[str, dict[str, float]] = score(
            self,  # type: ignore[arg-type]
            said, beside, said, rows, HOW,
        )  # fmt: skip
        return found

    def metrics(self, predictions: np.ndarray, _: np.ndarray) -> dict[str, float]:
        return {self.headline.metric: float(predictions.mean())}


def test_the_skill_follows_its_headline() -> None:
    scores = Perfect(Score("top1", best=1.0)).scores(1.0, [0.0, 1.0] * 40)
    assert scores["top1"]["low"] == pytest.approx(0.9549, abs=1e-4)
    assert scores["skill"]["low"] == pytest.approx(1 - (1 - scores["top1"]["low"]) / 0.5)
    assert scores["skill"]["high"] == 1


def test_no_error_leaves_the_skill_open() -> None:
    scores = Perfect(Score("mae")).scores(0.0, [0.0, 1.0] * 40)
    assert scores["skill"]["value"] == 1
    assert all(math.isnan(scores[name]["low"]) for name in ("mae", "skill"))


def named(right: np.ndarray) -> ScoredRows:
    """Return answers of two drugs, the first true; one row a group."""
    said = np.eye(2, dtype=np.float32)[np.where(right, 0, 1)]
    ids = [str(row) for row in range(len(right))]
    return ScoredRows(ids, np.array(ids), np.zeros((len(ids), 1), np.float32), said, said)


def test_two_that_agree_on_every_row_are_neither_better() -> None:
    right = np.arange(40) % 4 > 0
    found = paired(TASK, named(right), named(right), HOW).differences["top1"]
    edge = 1 - 0.025 ** (1 / 40)
    assert (found.low, found.value, found.high) == (pytest.approx(-edge), 0, pytest.approx(edge))
    assert not any(
        each.is_beyond_zero
        for each in paired(TASK, named(right), named(right), HOW).differences.values()
    )


@pytest.mark.parametrize(("groups", "beyond"), [(3, False), (40, True)])
def test_all_against_none_is_beyond_zero_where_groups_suffice(groups: int, beyond: bool) -> None:
    """Three people of whom one model has all and the other none: in half of all it may be otherwise."""
    one, other = named(np.ones(groups, bool)), named(np.zeros(groups, bool))
    found = paired(TASK, one, other, HOW).differences["top1"]
    assert found.value == found.high == 1
    assert found.is_beyond_zero == beyond
