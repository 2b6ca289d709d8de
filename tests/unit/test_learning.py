"""Schedules, ranking, scores, intervals, views: against the specification's numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.learning.determinism import reseed
from assay.learning.intervals import group_intervals
from assay.learning.regression import RegressionHead
from assay.learning.schedules import factor, rate, warmup_cosine
from assay.learning.scores import regression_rank, regression_scores
from assay.learning.transforms import Preprocess, normalise
from assay.lookup import find_task
from assay.manifest.rows import Rows

pytestmark = pytest.mark.numeric


def test_the_schedule_is_the_specifications() -> None:
    """100 epochs: warm-up 5, cosine 95; backbone 0 → 1e-4 → 1e-6, head 0 → 5e-4 → 5e-6."""
    for peak, final in ((1e-4, 1e-6), (5e-4, 5e-6)):
        drawn = warmup_cosine(100, 5, peak, final)
        assert rate(drawn, 0) == 0
        assert rate(drawn, 2.5) == pytest.approx(peak / 2)
        assert rate(drawn, 5) == pytest.approx(peak)
        assert rate(drawn, 5 + 95 / 2) == pytest.approx((peak + final) / 2)
        assert rate(drawn, 5 + 95 / 4) == pytest.approx(
            final + (peak - final) * (1 + math.cos(math.pi / 4)) / 2
        )
        assert rate(drawn, 100) == pytest.approx(final)
        falling = [rate(drawn, epoch) for epoch in np.linspace(5, 100, 200)]
        assert falling == sorted(falling, reverse=True)


def test_the_optimiser_walks_the_schedule() -> None:
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.AdamW([{"params": [parameter], "lr": 5e-4}])
    drawn = warmup_cosine(100, 5, 5e-4, 5e-6)
    walk = torch.optim.lr_scheduler.LambdaLR(optimiser, [factor(drawn, 5e-4, steps_per_epoch=7)])
    for step in range(700):
        assert optimiser.param_groups[0]["lr"] == pytest.approx(rate(drawn, step / 7), rel=1e-9)
        optimiser.step()
        walk.step()


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "r2": st.sampled_from([-0.5, 0.0, 0.1, 0.4, float("nan")]),
            "mae": st.sampled_from([0.5, 0.7, 0.9]),
            "acc_1.0": st.sampled_from([0.5, 0.6]),
            "acc_0.5": st.sampled_from([0.2, 0.3]),
        }
    ),
    min_size=1,
    max_size=8,
)


@given(ROWS)
@settings(max_examples=200, deadline=None)
def test_the_epoch_rule_is_the_specifications(rows: list[dict[str, float]]) -> None:
    """R² > 0 are candidates (all where none is); lowest MAE; ties ACC@1.0, ACC@0.5, R² upwards."""
    candidates = [row for row in rows if row["r2"] > 0] or rows
    lowest = min(row["mae"] for row in candidates)
    tied = [row for row in candidates if row["mae"] == lowest]
    for metric in ("acc_1.0", "acc_0.5"):
        highest = max(row[metric] for row in tied)
        tied = [row for row in tied if row[metric] == highest]
    defined = [row["r2"] for row in tied if not math.isnan(row["r2"])]
    chosen = min(rows, key=regression_rank)
    assert (chosen["mae"], chosen["acc_1.0"]) == (lowest, tied[0]["acc_1.0"])
    assert not defined or chosen["r2"] == max(defined)


def test_scores_by_hand() -> None:
    predicted = np.array([[10.0], [12.0], [11.0]], dtype=np.float32)
    true = np.array([[10.5], [12.0], [13.0]], dtype=np.float32)
    scores = regression_scores(predicted, true, (0.5, 1.0, 2.0))
    assert scores["mae"] == pytest.approx(2.5 / 3)
    assert scores["rmse"] == pytest.approx(math.sqrt(4.25 / 3))
    residual, spread = 4.25, ((true - true.mean()) ** 2).sum()
    assert scores["r2"] == pytest.approx(1 - residual / spread)
    assert [scores[f"acc_{delta}"] for delta in (0.5, 1.0, 2.0)] == pytest.approx([2 / 3, 2 / 3, 1])


def test_scores_refuse_shapes_that_would_broadcast() -> None:
    with pytest.raises(ValueError, match="predictions"):
        regression_scores(np.zeros((3, 1), np.float32), np.zeros(3, np.float32), (1.0,))


def test_the_interval_widens_when_rows_are_not_independent() -> None:
    """100 rows of 10 people: drawing rows would claim an interval about three times too narrow."""
    random = np.random.default_rng(0)
    people = np.repeat(np.arange(10), 10)
    values = random.normal(size=10)[people] + random.normal(0, 0.01, 100)

    def mean(rows: np.ndarray) -> list[float]:
        return [float(values[rows].mean())]

    widths = []
    for groups in (people, np.arange(100)):
        [(low, high)] = group_intervals(groups, mean, 400, 0.95, seed=1)
        assert low < values.mean() < high
        widths.append(high - low)
    assert widths[0] > 2 * widths[1]


def test_one_group_has_no_interval() -> None:
    [(low, high)] = group_intervals(np.zeros(5), lambda rows: [1.0], 100, 0.95, seed=1)
    assert math.isnan(low)
    assert math.isnan(high)


def test_the_baseline_has_no_r2_on_its_own_labels() -> None:
    task = find_task("hemoglobin-conjunctiva")
    hb = np.random.default_rng(1).uniform(8, 16, 50)
    rows = Rows({"image": np.zeros((50, 1, 1, 3), np.uint8)}, {"hb": hb})
    said = task.metrics(task.baseline(rows, rows), task.labels(rows))
    assert said["r2"] == pytest.approx(0, abs=1e-6)


def test_an_untrained_head_says_the_mean() -> None:
    torch.manual_seed(0)
    head = RegressionHead(8, [16, 8], 0.3).eval()
    head.start_at(torch.tensor([12.0]))
    assert head(torch.zeros(4, 8)).mean().item() == pytest.approx(12, abs=1)
    assert head[-1].bias.item() == 12


def test_each_image_of_a_batch_draws_its_own_augmentation() -> None:
    image = torch.randint(0, 255, (1, 32, 32, 3), dtype=torch.uint8)
    preprocess = Preprocess(["hflip", "vflip", "crop", "tilt"], 32)
    reseed(1, 0)
    views = preprocess(image.repeat(8, 1, 1, 1), True)
    assert len({view.numpy().tobytes() for view in views}) > 4
    reseed(1, 0)
    assert torch.equal(preprocess(image.repeat(8, 1, 1, 1), True), views)


def test_validation_sees_the_image_and_nothing_else() -> None:
    image = torch.randint(0, 255, (2, 16, 16, 3), dtype=torch.uint8)
    preprocess = Preprocess(["hflip", "vflip", "crop", "tilt"], 16)
    assert torch.equal(preprocess(image, False), normalise(image))
    red = (image[..., 0].float() / 255 - 0.485) / 0.229
    assert torch.allclose(normalise(image)[:, 0], red, atol=1e-5)
