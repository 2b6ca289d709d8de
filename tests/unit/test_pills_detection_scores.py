"""Scores of found boxes: by hand, beside ultralytics' own, and of what bootstrap draws."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from assay.learning.intervals import group_intervals
from assay.systems.pills.learning.detection_scores import (
    OVERLAPS,
    as_boxes,
    average_precision,
    detection_scores,
    match_by_class,
    overlaps,
    photograph_f1,
)

NAN = float("nan")


def rows(*photographs: list[list[float]], most: int = 4) -> Any:
    """Return photographs of boxes [x, y, w, h, score, class] as rows, nan behind."""
    table = np.full((len(photographs), most, 6), NAN, dtype=np.float32)
    for row, boxes in enumerate(photographs):
        table[row, : len(boxes)] = np.array(boxes).reshape(-1, 6)
    return table.reshape(len(photographs), -1)


def test_overlap_is_intersection_over_union() -> None:
    one = as_boxes(rows([[0, 0, 10, 10, 1, 0]], most=1))
    other = as_boxes(rows([[5, 0, 10, 10, 1, 0], [20, 20, 5, 5, 1, 0], [0, 0, 10, 10, 1, 0]]))
    assert overlaps(one, other)[0, 0] == pytest.approx([1 / 3, 0, 1, 0])


def test_average_precision_by_hand() -> None:
    """Two true boxes; sure and right, less sure and wrong, least sure and right at 0.6 alone.

    At 0.5: precision 1 up to recall 1/2, then 2/3: 51 recalls (0 to 0.50) at 1, 50 at 2/3. From 0.65
    on the third is wrong too: 51 recalls at 1, the rest at 0.
    """
    true = rows([[0, 0, 10, 10, 1, 3], [30, 30, 10, 10, 1, 3]])
    said = rows([[0, 0, 10, 10, 0.9, NAN], [70, 70, 10, 10, 0.8, NAN],
                 [30, 30, 10, 6, 0.7, NAN]])  # fmt: skip
    scores = detection_scores(said, true)
    early = (51 + 50 * 2 / 3) / 101
    assert scores["map50"] == pytest.approx(early)
    assert scores["map50_95"] == pytest.approx((3 * early + 7 * 51 / 101) / 10)
    assert scores["precision"] == pytest.approx(2 / 3)
    assert scores["recall"] == 1
    assert scores["f1"] == pytest.approx(0.8)
    assert scores["whole"] == 0


def test_a_true_box_is_taken_once() -> None:
    true = rows([[0, 0, 10, 10, 1, 0]])
    twice = rows([[0, 0, 10, 10, 0.9, NAN], [0, 0, 10, 10, 0.8, NAN]])
    assert detection_scores(twice, true)["precision"] == 0.5
    assert photograph_f1(twice, true) == pytest.approx([2 / 3])


def test_a_class_is_wrong_where_classes_are_said() -> None:
    true = rows([[0, 0, 10, 10, 1, 0], [30, 30, 10, 10, 1, 7]])
    right = true.copy()
    swapped = rows([[0, 0, 10, 10, 1, 7], [30, 30, 10, 10, 1, 0]])
    unsaid = rows([[0, 0, 10, 10, 1, NAN], [30, 30, 10, 10, 1, NAN]])
    assert detection_scores(right, true)["map50_95"] == 1
    assert detection_scores(swapped, true)["map50"] == 0
    assert detection_scores(swapped, true)["whole"] == 0
    assert detection_scores(unsaid, true)["map50_95"] == 1


def test_nothing_said_and_nothing_there() -> None:
    true, none = rows([[0, 0, 10, 10, 1, 0]], []), rows([], [])
    silent = detection_scores(none, true)
    assert silent["map50"] == silent["f1"] == silent["precision"] == 0
    assert silent["whole"] == 0.5  # the empty photograph is right
    assert np.isnan(detection_scores(true, none)["map50"])
    assert detection_scores(true, none)["precision"] == 0


def scattered(seed: int, classes: int) -> tuple[Any, Any]:
    """Return what a middling detector says of 60 photographs, and the truth."""
    draw = np.random.default_rng(seed)
    true, said = [], []
    for _ in range(60):
        own = [
            [*draw.uniform(0, 80, 2), *draw.uniform(8, 20, 2), 1, draw.integers(classes)]
            for _ in range(draw.integers(1, 5))
        ]
        true.append(own)
        moved = [
            [*(np.array(box[:4]) + draw.normal(0, 1.2, 4)), draw.uniform(), box[5]]
            for box in own
            if draw.uniform() < 0.8
        ]
        wrong = [[*draw.uniform(0, 80, 2), 10, 10, draw.uniform(), draw.integers(classes)]]
        said.append(moved + wrong)
    return rows(*said, most=6), rows(*true, most=6)


@pytest.mark.parametrize("classes", [1, 4])
def test_average_precision_beside_ultralytics(classes: int) -> None:
    """It integrates the 101 points by trapezoids between measured recalls: within 0.01 of COCO's."""
    from assay.systems.pills.tasks.yolo import library

    library()
    from ultralytics.engine.validator import BaseValidator
    from ultralytics.utils.metrics import ap_per_class

    said, true = scattered(3, classes)
    told = SimpleNamespace(iouv=torch.tensor(OVERLAPS))
    hits, scores, kinds, wanted = [], [], [], []
    for own, real in zip(as_boxes(said), as_boxes(true), strict=True):
        own, real = own[np.isfinite(own[:, 0])], real[np.isfinite(real[:, 0])]  # noqa: PLW2901
        shares = torch.tensor(overlaps(own[None], real[None])[0]).T
        right = BaseValidator.match_predictions(
            told, torch.tensor(own[:, 5]), torch.tensor(real[:, 5]), shares
        )
        hits.append(right.numpy())
        scores.append(own[:, 4])
        kinds.append(own[:, 5])
        wanted.append(real[:, 5])
    theirs = ap_per_class(*map(np.concatenate, (hits, scores, kinds, wanted)))[5]
    ours = np.array([[average_precision(each, place) for place in range(10)]
                     for each in match_by_class(said, true)])  # fmt: skip
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() < 0.02
    assert abs(ours.mean() - theirs.mean()) < 0.01
    assert 0.1 < ours.mean() < 0.9


def test_photographs_are_drawn_by_group() -> None:
    said, true = scattered(5, 1)
    groups = np.arange(60) // 3

    def statistics(drawn: Any) -> list[float]:
        return [detection_scores(said[drawn], true[drawn])["map50"]]

    ((low, high),) = group_intervals(groups, statistics, 200, 0.95, 1)
    assert low < statistics(np.arange(60))[0] < high
    assert high - low > 0.02
