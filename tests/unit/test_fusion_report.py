"""The performance report of fusion: its numbers are the platform's own, its page says what they allow."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.unit.test_fusion_selection import grid, patients

from assay.learning.scoring import score
from assay.lookup import find_task
from assay.runs.record import OUT_OF_FOLD, RECORD
from assay.sections.task import Evaluate
from assay.systems.hemoglobin.ensemble.columns import COLUMNS, VERSIONS, column_place
from assay.systems.hemoglobin.ensemble.selection import finalists, members
from assay.systems.hemoglobin.ensemble.weights import weights_of
from assay.systems.hemoglobin.reports.founding import FOUNDING, founding_gain
from assay.systems.hemoglobin.reports.performance import write_report
from assay.systems.hemoglobin.reports.result import FusionResult, fold_means, read_result
from assay.systems.hemoglobin.reports.steps import StepChange, StepScores, measure_steps
from assay.tracking.paired import paired
from assay.tracking.scored import ScoredRows

HOW = Evaluate(n_resamples=200, confidence_level=0.95, seed=3, best_of=1)
TASK = find_task("hemoglobin-nail")
SINGLE = {
    "mae": {"value": 0.79, "low": 0.7, "high": 0.9},
    "r2": {"value": 0.4, "low": 0.2, "high": 0.6},
    "skill": {"value": 0.3, "low": 0.1, "high": 0.4},
    "acc_1.0": {"value": 0.7, "low": 0.6, "high": 0.8},
    "groups": 82,
    "rows": 82,
}


def trained(folder: Path, selection: str = "out_of_fold", *, singles: bool = True) -> FusionResult:
    """Write a model's record and what it said out of fold, and read them as the report does."""
    random = np.random.default_rng(5)
    labels, folds = patients()
    every = grid((1, 2), VERSIONS)
    apart = random.normal(0, 0.6, (len(every), 22)).repeat(4, axis=1)
    said = 12 + 0.6 * (labels - 12) + apart + random.normal(0, 0.5, (len(every), 88))
    said, labels = said.astype(np.float32), labels.astype(np.float32)
    chosen, mix = finalists(said, labels, every), {}
    predictions = np.full((88, len(COLUMNS)), np.nan, np.float32)
    for version in VERSIONS:
        weights = weights_of(said, labels, members(chosen, version), "simplex", 0.05)
        predictions[:, column_place(version)] = sum(w * said[c] for c, w in weights.items())
        mix[version] = {every[c].name: w for c, w in weights.items()}
    for column, one in chosen.items():
        predictions[:, column_place(column)] = said[one]
    predictions[:, 0] = predictions[:, column_place("w_demo")]
    if singles:
        predictions[:, column_place("nail")] = said[0] + 0.3
        predictions[:, column_place("conjunctiva")] = said[0] + 1.5
    names = np.array([f"s{row}" for row in range(88)])
    record = {
        "jobs": [{"name": each.name, "fold": fold} for each in every for fold in range(5)],
        "model": {
            "finalists": {column: every[one].name for column, one in chosen.items()},
            "mix": mix,
            "selection": selection,
        },
    }
    (folder / RECORD).write_text(json.dumps(record))
    order = random.permutation(88)  # a table has an order of its own
    table = pl.DataFrame({"sample_id": names[order], "trainings": said.T[order]})
    table.write_parquet(folder / OUT_OF_FOLD)
    people = np.array([f"p{row // 4:02}" for row in range(88)])
    columns = {"sample_id": names, "fold": folds, "group_id": people}
    found = read_result(folder, predictions, columns, labels, HOW)
    assert np.array_equal(found.trainings, said.T)
    return found


@pytest.fixture
def result(tmp_path: Path) -> FusionResult:
    return trained(tmp_path)


def page(result: FusionResult, folder: Path, **more: Any) -> str:
    write_report(result, folder / "reports" / "pictures", **more)
    return (folder / "reports" / "tables" / "performance.html").read_text()


def plain(page: str) -> str:
    """Return the text of a page as people see it, on one line."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page)))


# --- numbers


@pytest.mark.parametrize("column", ["w_demo", "wo_demo_p2_r2", "nail"])
def test_scores_and_intervals_are_the_ones_of_the_platform(
    result: FusionResult, column: str
) -> None:
    said, labels = (each[:, None] for each in (result.column(column), result.labels))
    expected = score(TASK, said, result.baseline[:, None], labels, result.groups, HOW)
    own = measure_steps(result).scores[column]
    for name in ("mae", "rmse", "r2", "acc_0.5", "acc_1.0", "acc_2.0", "skill"):
        assert own[name] == pytest.approx(expected[name], abs=1e-6), name
    assert (own["groups"], own["rows"]) == (22, 88)


def test_changes_are_paired_as_two_results_are(result: FusionResult) -> None:
    def rows(column: str) -> ScoredRows:
        ids = [f"{row:02}" for row in range(88)]
        labels = result.labels[:, None]
        return ScoredRows(ids, result.groups, labels, result.column(column)[:, None], labels * 0)

    changes = {(each.old, each.new): each for each in measure_steps(result).changes}
    for (old, new), own in changes.items():
        there = paired(TASK, rows(new), rows(old), HOW).differences["mae"]
        expected = there.value, there.low, there.high
        assert (own.value, own.low, own.high) == pytest.approx(expected, abs=1e-6)
    assert list(changes) == [
        ("nail", "w_demo_p1_mae"), ("w_demo_p1_mae", "w_demo_p2_mae"), ("w_demo_p2_mae", "w_demo"),
        ("nail", "wo_demo_p1_mae"), ("wo_demo_p1_mae", "wo_demo_p2_mae"),
        ("wo_demo_p2_mae", "wo_demo"), ("wo_demo", "w_demo"),
    ]  # fmt: skip


def test_an_interval_by_row_would_be_narrower(result: FusionResult) -> None:
    """Four pairs of one patient are no four patients: drawn alone they promise more than there is."""

    def width(steps: StepScores) -> float:
        own = steps.scores["w_demo_p1_mae"]["mae"]
        return float(own["high"] - own["low"])

    alone = replace(result, groups=np.arange(88))
    assert width(measure_steps(result)) > 1.3 * width(measure_steps(alone))


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(-0.2, -0.1, "better"), (0.1, 0.2, "worse"), (-0.1, 0.1, "not told apart")],
)
def test_a_change_is_said_by_its_interval(low: float, high: float, said: str) -> None:
    assert StepChange("a", "b", (low + high) / 2, low, high).verdict == said


def test_one_and_the_same_is_no_change(result: FusionResult) -> None:
    copied = result.predictions.copy()
    copied[:, column_place("w_demo")] = copied[:, column_place("w_demo_p2_mae")]
    steps = measure_steps(replace(result, predictions=copied))
    [own] = [each for each in steps.changes if each.new == "w_demo" and each.old != "wo_demo"]
    assert own.verdict == "the same model"


def test_comparisons_are_counted(result: FusionResult) -> None:
    counted = {name: result.compared(name) for name in result.columns}
    assert counted["nail"] == 1
    assert counted["w_demo_p1_mae"] == counted["wo_demo_p2_r2"] == 25
    assert counted["w_demo"] == counted["wo_demo"] == 50
    searched = replace(result, how=HOW.model_copy(update={"best_of": 12}))
    assert searched.compared("w_demo") == 600  # each trial of a search made all of them
    assert measure_steps(searched).scores["w_demo"]["best_of"] == 600


def test_the_mean_is_of_the_other_folds() -> None:
    labels = np.array([10.0, 12.0, 20.0], np.float32)
    assert fold_means(labels, np.array([0, 0, 1])).tolist() == [20, 20, 11]


# --- the page


def test_the_page_is_whole_and_the_pictures_are_pictures(
    result: FusionResult, tmp_path: Path
) -> None:
    """One file that asks nobody; DVC would draw a table among the pictures."""
    content = page(result, tmp_path)
    names = {path.name for path in (tmp_path / "reports" / "pictures").iterdir()}
    assert names == {f"{name}.png" for name in
                     ("steps", "configurations", "ensemble", "patients", "weights")}  # fmt: skip
    assert len(re.findall(r'src="data:image/png;base64,', content)) == len(names)
    assert not re.findall(r"https?:|src=\"(?!data:)|<script|<link|url\(", content)
    assert page(result, tmp_path / "again") == content  # equal results have equal bytes


def test_every_step_says_interval_patients_and_comparisons(
    result: FusionResult, tmp_path: Path
) -> None:
    said, steps = plain(page(result, tmp_path)), measure_steps(result)
    assert "22 patients (88 pairs of images), out of fold · 500 trainings of 100 config" in said
    for column, best_of in (("w_demo", 50), ("wo_demo_p1_mae", 25)):
        own = steps.scores[column]
        numbers = " ".join(
            f"{own[name]['value']:.2f} [{own[name]['low']:.2f}, {own[name]['high']:.2f}]"
            for name in ("mae", "skill", "r2", "acc_1.0")
        )
        assert f"{numbers} 22 {best_of} the best of {best_of} is optimistic" in said
    for name in result.finalists.values():
        assert name in said


def test_a_choice_by_fold_is_stopped_and_no_change_is_stated(tmp_path: Path) -> None:
    said = plain(page(trained(tmp_path, "fold"), tmp_path))
    assert "STOP REFUSED: chosen or weighed on rows that trained its parts" in said
    assert "Changes, on the same patients None is stated." in said
    assert "better" not in said.partition("Each step's error")[0].replace("not better", "")


def test_without_single_models_no_change_begins_at_one(tmp_path: Path) -> None:
    result = trained(tmp_path, singles=False)
    assert not [each for each in measure_steps(result).changes if each.old == "nail"]
    said = plain(page(result, tmp_path))
    assert "Single-modality models (nail, conjunctiva) are not at hand on these patients" in said


def test_numbers_of_other_people_are_told_and_give_no_change(tmp_path: Path) -> None:
    said = plain(
        page(trained(tmp_path, singles=False), tmp_path, singles={"hemoglobin-nail": SINGLE})
    )
    assert "hemoglobin-nail 0.79 [0.70, 0.90]" in said
    assert re.search(
        r"STOP hemoglobin-nail MAE 0\.79 \[0\.70, 0\.90\] on 82 patients, phase 1, .* on 22 patients"
        r" \(88 images\): of different sets, not to be compared", said,
    )  # fmt: skip


def test_a_name_is_no_markup(result: FusionResult, tmp_path: Path) -> None:
    planted = {**result.finalists, "w_demo_p1_mae": "<b>p1-a-b-w_demo</b>"}
    assert "<b>" not in page(replace(result, finalists=planted), tmp_path)


# --- the founding table


def test_the_claim_check_says_of_each_founding_number_what_it_would_of_ours() -> None:
    said = {each.name: " · ".join(each.said()) for each in FOUNDING}
    few, many = "4 patients: too few to say", "the best of 250 is optimistic"
    refused = "REFUSED: chosen or weighed on rows that trained its parts, no validation"
    spread = "not better than its own spread: RMSE is {} × the SD of its labels"
    assert said == {
        "single, nail": "the best of 13 is optimistic",
        "single, conjunctiva": "patients not stated · the best of 13 is optimistic",
        "phase 1": f"{few} · {many}",
        "ensemble w_demo, validation": f"{refused} · {few} · {many}",
        "ensemble w_demo, test": f"{few} · {spread.format('1.146')}",
        "ensemble wo_demo, validation": f"{refused} · {few} · {many}",
        "ensemble wo_demo, test": f"{few} · {spread.format('2.690')}",
    }


def test_the_founding_gain_is_refused_beside_it(result: FusionResult, tmp_path: Path) -> None:
    claim, why = founding_gain()
    assert claim.startswith("73 % lower MAE")
    assert "82 patients" in why
    assert why.endswith("of different sets, not to be compared")
    told = plain(page(result, tmp_path))
    assert f"STOP {claim}: {why}" in told
    for each in FOUNDING:
        assert each.name in told


# --- who imports what


def test_the_selection_needs_no_torch_and_no_report() -> None:
    """A training that reached the report would be trained anew after a word of a page was changed."""
    room = "assay.systems.hemoglobin"
    code = f"""
import sys
import {room}.ensemble.columns, {room}.ensemble.selection, {room}.ensemble.weights
print(sorted(name for name in sys.modules if name in ("torch", "polars", "matplotlib", "jinja2")
             or name.startswith("{room}.reports")))
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
