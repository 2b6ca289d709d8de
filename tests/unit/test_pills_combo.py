"""The pipeline `pills-combo`: matching, scores by hand, both modes from files, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from tests.pills_combo_set import COMBO, own

from assay.contract.scored import ensure_answers
from assay.errors import AssayError
from assay.learning.scoring import score
from assay.manifest.rows import Rows
from assay.systems.pills.pipelines import combo_scores, combo_table, reading
from assay.systems.pills.pipelines.combo_answers import FIELDS, pack_answers
from assay.systems.pills.pipelines.matching import NONE, match
from assay.systems.pills.pipelines.reading import Boxes, Identified

A, B, C = [0, 0, 10, 10], [20, 0, 10, 10], [0, 20, 10, 10]


def boxes(*photographs: list[list[float]]) -> Boxes:
    """Return boxes of photographs, the surest first."""
    row = [number for number, each in enumerate(photographs) for _ in each]
    place = [box for each in photographs for box in each]
    score = [0.9 - 0.1 * number for each in photographs for number in range(len(each))]
    return Boxes(np.array(row, int), np.array(place, float).reshape(-1, 4), np.array(score))


def places(*own: list[float]) -> np.ndarray:
    return np.array(own, dtype=float).reshape(-1, 4)


def named(*numbers: int) -> Identified:
    return Identified(np.array(numbers, dtype=int), np.ones(len(numbers)))


# --- which boxes are kept


def test_boxes_are_chosen_by_score_overlap_and_number() -> None:
    said = np.full((2, 6, 6), np.nan)
    said[0, :5, :5] = [
        [0, 0, 10, 10, 0.8], [1, 0, 10, 10, 0.9], [20, 0, 10, 10, 0.31], [40, 0, 10, 10, 0.29],
        [60, 0, 0.4, 10, 0.99],
    ]  # fmt: skip
    kept = reading.chosen(said.reshape(2, -1), own().use)
    # The same pill twice: the surer box stays. Unsure ones and slivers at the edge go.
    assert kept.place[:, 0].tolist() == [1, 20]
    assert kept.row.tolist() == [0, 0]
    assert reading.chosen(said.reshape(2, -1), own(max_det=1).use).place[:, 0].tolist() == [1]
    assert len(reading.chosen(said.reshape(2, -1), own(conf=0.95).use).row) == 0
    assert len(reading.chosen(said.reshape(2, -1), own(iou=0.9).use).row) == 3


# --- matching, and scores by hand


def test_a_right_name_is_looked_for_before_a_near_place() -> None:
    # Two true pills overlap; the surest box lies nearer to the one that it does not name.
    found = match(places(A), np.array([5]), places(A, [2, 0, 10, 10]), np.array([4, 5]), 0.5)
    assert found.pair.tolist() == [1]
    assert found.right.tolist() == [True]
    assert found.overlap[0] == pytest.approx(8 / 12)


def test_a_pill_is_taken_once() -> None:
    found = match(places(A, A), np.array([4, 4]), places(A), np.array([4]), 0.5)
    assert found.pair.tolist() == [0, NONE]
    assert found.right.tolist() == [True, False]
    assert found.placed == 1


@pytest.mark.parametrize(("beside", "pair"), [(3, 0), (4, NONE)])
def test_a_box_must_overlap_enough(beside: int, pair: int) -> None:
    # Moved by 3 of 10 px two squares share 7/13 of their union, by 4 px 6/14.
    found = match(places([beside, 0, 10, 10]), np.array([4]), places(A), np.array([4]), 0.5)
    assert found.pair.tolist() == [pair]
    half = match(places([0, 0, 10, 20]), np.array([4]), places(A), np.array([4]), 0.5)
    assert half.right.tolist() == [True]  # exactly one half is enough


def test_no_box_and_no_pill_are_matched_with_nothing() -> None:
    nobody = np.array([], dtype=int)
    assert match(places(), nobody, places(A), np.array([1]), 0.5).placed == 0
    assert match(places(A), np.array([1]), places(), nobody, 0.5).pair.tolist() == [NONE]


FOUND, DRUGS, WHOLE = boxes([A, A, B], [B, A], []), named(1, 1, 1, 3, 2), named(7, 8, 4)


def case() -> tuple[np.ndarray, np.ndarray, Rows]:
    """Return three photographs: one pill twice, one misnamed, one missed; two right; nothing found."""
    columns = {
        "sample_id": ["a", "b", "c"], "group_id": ["g", "h", "h"],
        "mode": ["combination", "combination", "single"], "boxes": [[A, B, C], [A, B], [C]],
        "classes": [[1, 2, 2], [2, 3], [4]], "codes": [list("xyy"), list("yz"), ["w"]],
    }  # fmt: skip
    arrays = {name: np.empty(3, dtype=object) for name in columns}
    for name, column in arrays.items():
        column[:] = columns[name]
    rows = Rows({"image": np.zeros((3, 8, 8, 3), np.uint8)}, arrays)
    return pack_answers(FOUND, DRUGS, WHOLE, 4), COMBO.labels(rows), rows


def test_boxes_are_packed_photograph_by_photograph() -> None:
    said, labels, rows = case()
    assert said.shape == (3, 4 * FIELDS + 2)
    assert labels.shape == (3, 3 * 6 + 1)
    assert labels[:, -1].tolist() == [0, 0, 1]
    assert said[1, :FIELDS].tolist() == pytest.approx([*B, 0.9, 3, 1])
    assert np.isnan(said[2, :-2]).all()
    assert said[2, -2:].tolist() == [4, 1]
    assert COMBO.refuse_predictions(said, rows) == ""
    for wrong in (said[:, :-1], said[:2]):
        with pytest.raises(AssayError, match="expected boxes of 7 numbers"):
            ensure_answers(COMBO, wrong, rows)
    # Fewer boxes than pills are answers: a look at test rows must not break on them, they are missed.
    few = pack_answers(boxes([A, A], [B, A], []), named(1, 1, 3, 2), WHOLE, 2)
    assert COMBO.refuse_predictions(few, rows) == ""
    assert COMBO.metrics(few, labels)["recall"] == pytest.approx(3 / 6)


def test_scores_by_hand() -> None:
    said, labels, _ = case()
    scores = COMBO.metrics(said, labels)
    # Found and rightly named: 1 of 3 said, 2 of 2, 0 of 0; there are 3 + 2 + 1 pills.
    assert scores["precision"] == pytest.approx(3 / 5)
    assert scores["recall"] == pytest.approx(3 / 6)
    assert scores["f1"] == pytest.approx(6 / 11)
    # By place alone one more is found: the misnamed one. The same pill twice counts once.
    assert scores["finding_precision"] == pytest.approx(4 / 5)
    assert scores["finding_recall"] == pytest.approx(4 / 6)
    assert scores["finding_f1"] == pytest.approx(8 / 11)
    assert scores["exact_list"] == pytest.approx(1 / 3)
    assert scores["single_top1"] == 1.0  # the one photograph of a single pill is named 4
    assert np.isnan(COMBO.metrics(said[:2], labels[:2])["single_top1"])


def counted(found: Boxes, drugs: Identified) -> dict[str, list[float]]:
    said = pack_answers(found, drugs, WHOLE, 4)
    table = COMBO.counts(said, case()[1])
    return dict(zip(combo_scores.COUNTS, table.T.tolist(), strict=True))


def test_swapped_names_have_the_exact_list_and_no_right_pill() -> None:
    counts = counted(FOUND, named(1, 1, 1, 2, 3))
    assert counts["exact"] == [0, 1, 0]
    assert counts["right"] == [1, 0, 0]
    assert counts["placed"] == [2, 2, 0]


def test_the_list_counts_how_often_a_drug_is_there() -> None:
    assert counted(boxes([A, B], [B, A], []), named(1, 2, 3, 2))["exact"] == [0, 1, 0]


def test_no_box_at_all_scores_nothing() -> None:
    scores = COMBO.metrics(pack_answers(boxes([], [], []), named(), WHOLE, 4), case()[1])
    assert [scores[name] for name in ("precision", "recall", "f1", "exact_list")] == [0, 0, 0, 0]
    assert scores["single_top1"] == 1.0


def test_the_trivial_predictor_says_one_box_and_the_commonest_drug() -> None:
    _, _, rows = case()
    rows.columns["width"] = rows.columns["height"] = np.array([40, 40, 80])
    said = COMBO.baseline(rows, rows)
    assert said.shape == (3, FIELDS + 2)
    assert (said[:, 5] == 2).all()
    assert (said[:, -2] == 2).all()
    assert said[2, 2] == 2 * said[0, 2]  # a share of the photograph
    assert COMBO.metrics(said, COMBO.labels(rows))["single_top1"] == 0


def test_intervals_draw_whole_groups_and_count_each_photograph_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said, labels, rows = case()
    asked: list[int] = []
    count = combo_scores._counted
    monkeypatch.setattr(combo_scores, "_counted", lambda *row: (asked.append(1), count(*row))[1])
    groups = rows.columns["group_id"].astype(str)
    scores = score(COMBO, said, said, labels, groups, own().evaluate)
    # Groups are photograph a, and b with c: F1 of them alone are 1/3 and 4/5.
    assert scores["f1"]["low"] == pytest.approx(2 / 6)
    assert scores["f1"]["high"] == pytest.approx(4 / 5)
    assert scores["groups"] == 2
    assert scores["skill"]["value"] == 0.0  # beside itself
    assert len(asked) == 6  # the model's and the trivial predictor's, in whatever many draws


def test_each_pill_has_its_line() -> None:
    said, labels, rows = case()
    code = {1: "x", 2: "y", 3: "z", 4: "w"}
    table = combo_table.lines(said, labels, rows, code)
    shown = table.select("pill", "outcome", "true", "named").rows()
    assert shown == [
        ("a#0", "right", "x", "x"), (None, "beside", None, "x"), ("a#1", "misnamed", "y", "x"),
        ("a#2", "missed", "y", None), ("b#1", "right", "z", "z"), ("b#0", "right", "y", "y"),
        ("c#0", "missed", "w", None),
    ]  # fmt: skip
