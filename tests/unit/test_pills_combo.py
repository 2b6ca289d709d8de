"""The pipeline `pills-combo`: matching, scores by hand, both modes from files, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from tests.pills_combo_set import COMBO, own

from assay.manifest.rows import Rows
from assay.systems.pills.pipelines import combo_scores, combo_table, reading
from assay.systems.pills.pipelines.combo_answers import Answers, Truth
from assay.systems.pills.pipelines.matching import NONE, match
from assay.systems.pills.pipelines.reading import Boxes, Identified

A, B, C = [0, 0, 10, 10], [20, 0, 10, 10], [0, 20, 10, 10]


def boxes(*photographs: list[list[float]]) -> Boxes:
    """Return boxes of photographs, the surest first."""
    row = [number for number, each in enumerate(photographs) for _ in each]
    place = [box for each in photographs for box in each]
    score = [0.9 - 0.1 * number for each in photographs for number in range(len(each))]
    return Boxes(np.array(row, int), np.array(place, float).reshape(-1, 4), np.array(score))


def named(*numbers: int) -> Identified:
    return Identified(np.array(numbers, dtype=int), np.ones(len(numbers)))


# --- which boxes are kept


def test_boxes_are_chosen_by_score_overlap_and_number() -> None:
    said = np.full((2, 6, 6), np.nan)
    said[0, :5, :5] = [
        [0, 0, 10, 10, 0.8], [1, 0, 10, 10, 0.9], [20, 0, 10, 10, 0.31], [40, 0, 10, 10, 0.29],
        [60, 0, 0.4, 10, 0.99],
    ]  # fmt: skip
    kept = reading.chosen(said, own().use)
    # The same pill twice: the surer box stays. Unsure ones and slivers at the edge go.
    assert kept.place[:, 0].tolist() == [1, 20]
    assert kept.row.tolist() == [0, 0]
    assert reading.chosen(said, own(max_det=1).use).place[:, 0].tolist() == [1]
    assert len(reading.chosen(said, own(conf=0.95).use).row) == 0
    assert len(reading.chosen(said, own(iou=0.9).use).row) == 3


# --- matching, and scores by hand


def test_a_right_name_is_looked_for_before_a_near_place() -> None:
    # Two true pills overlap; the surest box lies nearer to the one that it does not name.
    found = match(boxes([A]), np.array([5]), boxes([A, [2, 0, 10, 10]]), np.array([4, 5]), 0.5)
    assert found.pair.tolist() == [1]
    assert found.right.tolist() == [True]
    assert found.overlap[0] == pytest.approx(8 / 12)


def test_a_pill_is_taken_once() -> None:
    found = match(boxes([A, A]), np.array([4, 4]), boxes([A]), np.array([4]), 0.5)
    assert found.pair.tolist() == [0, NONE]
    assert found.right.tolist() == [True, False]
    assert found.placed == 1


@pytest.mark.parametrize(("beside", "pair"), [(3, 0), (4, NONE)])
def test_a_box_must_overlap_enough(beside: int, pair: int) -> None:
    # Moved by 3 of 10 px two squares share 7/13 of their union, by 4 px 6/14.
    found = match(boxes([[beside, 0, 10, 10]]), np.array([4]), boxes([A]), np.array([4]), 0.5)
    assert found.pair.tolist() == [pair]
    half = match(boxes([[0, 0, 10, 20]]), np.array([4]), boxes([A]), np.array([4]), 0.5)
    assert half.right.tolist() == [True]  # exactly one half is enough


def test_no_box_and_no_pill_are_matched_with_nothing() -> None:
    nobody = np.array([], dtype=int)
    assert match(boxes([]), nobody, boxes([A]), np.array([1]), 0.5).placed == 0
    assert match(boxes([A]), np.array([1]), boxes([]), nobody, 0.5).pair.tolist() == [NONE]


def case() -> tuple[Answers, Truth, Rows]:
    """Return three photographs: one pill twice, one misnamed, one missed; two right; nothing found."""
    said = Answers(
        boxes([A, A, B], [B, A], []),
        named(1, 1, 1, 3, 2),
        named(1, 2, 9, 2, 3, 4),
        named(7, 8, 4),
    )
    true = Truth(boxes([A, B, C], [A, B], [C]), np.array([1, 2, 2, 2, 3, 4]))
    columns = {
        "sample_id": ["a", "b", "c"], "group_id": ["g", "h", "h"],
        "mode": ["combination", "combination", "single"],
        "classes": [[1, 2, 2], [2, 3], [4]], "codes": [list("xyy"), list("yz"), ["w"]],
    }  # fmt: skip
    arrays = {name: np.empty(3, dtype=object) for name in columns}
    for name, column in arrays.items():
        column[:] = columns[name]
    return said, true, Rows({"image": np.zeros((3, 8, 8, 3), np.uint8)}, arrays)


def test_scores_by_hand() -> None:
    said, true, rows = case()
    matches = combo_scores.match_photographs(said, true, 3, 0.5)
    counts = combo_scores.photograph_counts(said, true, matches, rows)
    scores = combo_scores.scored(counts)
    # Found and rightly named: 1 of 3 said, 2 of 2, 0 of 0; there are 3 + 2 + 1 pills.
    assert scores["precision"] == pytest.approx(3 / 5)
    assert scores["recall"] == pytest.approx(3 / 6)
    assert scores["f1"] == pytest.approx(6 / 11)
    # By place alone one more is found: the misnamed one. The same pill twice counts once.
    assert scores["finding_precision"] == pytest.approx(4 / 5)
    assert scores["finding_recall"] == pytest.approx(4 / 6)
    assert scores["finding_f1"] == pytest.approx(8 / 11)
    assert scores["naming_top1"] == pytest.approx(5 / 6)
    assert scores["exact_list"] == pytest.approx(1 / 3)
    assert scores["single_top1"] == 1.0  # the one photograph of a single pill is named 4


def test_swapped_names_have_the_exact_list_and_no_right_pill() -> None:
    said, true, rows = case()
    swapped = said._replace(drugs=named(1, 1, 1, 2, 3))
    matches = combo_scores.match_photographs(swapped, true, 3, 0.5)
    counts = combo_scores.photograph_counts(swapped, true, matches, rows)
    assert counts["exact"].tolist() == [0, 1, 0]
    assert counts["right"].tolist() == [1, 0, 0]
    assert counts["placed"].tolist() == [2, 2, 0]


def test_the_list_counts_how_often_a_drug_is_there() -> None:
    said, true, rows = case()
    lacking = said._replace(found=boxes([A, B], [B, A], []), drugs=named(1, 2, 3, 2))
    matches = combo_scores.match_photographs(lacking, true, 3, 0.5)
    assert combo_scores.photograph_counts(lacking, true, matches, rows)["exact"].tolist() == [
        0,
        1,
        0,
    ]


def test_no_box_at_all_scores_nothing() -> None:
    said, true, rows = case()
    blind = said._replace(found=boxes([], [], []), drugs=named())
    counts = combo_scores.photograph_counts(
        blind, true, combo_scores.match_photographs(blind, true, 3, 0.5), rows
    )
    scores = combo_scores.scored(counts)
    assert [scores[name] for name in ("precision", "recall", "f1", "exact_list")] == [0, 0, 0, 0]
    assert scores["naming_top1"] == pytest.approx(5 / 6)


def test_intervals_draw_whole_groups() -> None:
    said, true, rows = case()
    counts = combo_scores.photograph_counts(
        said, true, combo_scores.match_photographs(said, true, 3, 0.5), rows
    )
    scores = combo_scores.with_intervals(
        COMBO.headline, counts, counts, rows.columns["group_id"], own()
    )
    # Groups are photograph a, and b with c: F1 of them alone are 1/3 and 4/5.
    assert scores["f1"]["low"] == pytest.approx(2 / 6)
    assert scores["f1"]["high"] == pytest.approx(4 / 5)
    assert scores["groups"] == 2
    assert scores["skill"]["value"] == 0.0  # beside itself


def test_each_pill_has_its_line() -> None:
    said, true, rows = case()
    code = {1: "x", 2: "y", 3: "z", 4: "w"}
    matches = combo_scores.match_photographs(said, true, 3, 0.5)
    table = combo_table.lines(said, true, matches, rows, code)
    shown = table.select("pill", "outcome", "true", "named").rows()
    assert shown == [
        ("a#0", "right", "x", "x"), (None, "beside", None, "x"), ("a#1", "misnamed", "y", "x"),
        ("a#2", "missed", "y", None), ("b#1", "right", "z", "z"), ("b#0", "right", "y", "y"),
        ("c#0", "missed", "w", None),
    ]  # fmt: skip
