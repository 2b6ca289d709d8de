"""What is scored: each validation row once, by the model that was kept from it; best and last epoch."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from assay.errors import AssayError
from assay.learning.scoring import score
from assay.learning.summary import summary
from assay.lookup import find_task
from assay.manifest.rows import Rows
from assay.runs.scores import read_scores, write_scores
from assay.sections.task import Evaluate
from assay.stages.evaluate import chosen_among, last_score, validated

TASK = find_task("toy-level")
HOW = Evaluate(n_resamples=200, confidence_level=0.95, seed=3)
COUNT = 30


def rows() -> Rows:
    """Return rows of three folds that do not stand in order of them; a fourth one validates nothing."""
    columns = {
        "sample_id": np.array([f"s{row:02}" for row in range(COUNT)], dtype=object),
        "group_id": np.arange(COUNT).astype(str),
        "level": np.linspace(0, 1, COUNT),
        "fold": np.arange(COUNT) % 4,
    }
    return Rows({"image": np.zeros((COUNT, 2, 2, 3), np.uint8)}, columns)


def said_of(some: Rows) -> pl.DataFrame:
    """Return out-of-fold predictions that tell a row and its fold, fold after fold."""
    told = some.columns["level"] + some.columns["fold"]
    table = pl.DataFrame({
        "sample_id": some.columns["sample_id"], "fold": some.columns["fold"],
        "best": told.astype(np.float32)[:, None], "last": -told.astype(np.float32)[:, None],
    })  # fmt: skip
    return table.sort("fold", "sample_id", descending=[False, True])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    said_of(rows().where(rows().columns["fold"] < 3)).write_parquet(tmp_path / "said.parquet")
    return tmp_path / "said.parquet"


def test_every_row_has_what_its_own_fold_said(path: Path) -> None:
    valid, said, baseline = validated(TASK, rows(), [0, 1, 2], path)
    level, fold = valid.columns["level"], valid.columns["fold"]
    assert set(fold) == {0, 1, 2}
    assert said["best"][:, 0] == pytest.approx(level + fold)
    assert said["last"][:, 0] == pytest.approx(-(level + fold))
    # The trivial predictor of a fold knows no label of it.
    every = rows()
    for number in (0, 1, 2):
        others = every.columns["level"][every.columns["fold"] != number]
        assert baseline[fold == number, 0] == pytest.approx(others.mean())


@pytest.mark.parametrize(
    ("model", "trials", "told"),
    [
        ({}, 1, {}),
        ({}, 24, {"best_of": 24}),
        ({"compared": 50, "selection": "out_of_fold"}, 1, {"best_of": 50}),
        ({"compared": 50, "selection": "fold"}, 24, {"best_of": 1200, "in_sample": 1}),
    ],
)
def test_how_a_model_was_chosen_stands_beside_its_numbers(
    model: dict[str, Any], trials: int, told: dict[str, int]
) -> None:
    assert chosen_among(model, trials) == told


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda t: t.filter(pl.col("sample_id") != "s05"), r"1 rows lacking, e\.g\. s05 of fold 1"),
        (lambda t: t.filter(pl.col("fold") != 2), r"7 rows lacking, e\.g\. s02 of fold 2"),
        (lambda t: pl.concat([t, t[3:4]]), "1 rows standing twice"),
        # A model that was trained on the row said it.
        (lambda t: t.with_columns(fold=pl.when(pl.col("sample_id") == "s05").then(0).otherwise("fold")),
         r"1 rows lacking, e\.g\. s05 of fold 1, 1 rows of another split or fold, e\.g\. s05 of fold 0"),
        (lambda t: pl.concat([t, t[3:4].with_columns(sample_id=pl.lit("x"))]), "of another split"),
    ],
)  # fmt: skip
def test_what_is_not_one_prediction_a_row_is_refused(
    path: Path, wrong: Callable[[pl.DataFrame], pl.DataFrame], words: str
) -> None:
    wrong(pl.read_parquet(path)).write_parquet(path)
    with pytest.raises(AssayError, match=words) as told:
        validated(TASK, rows(), [0, 1, 2], path)
    assert told.value.where == str(path)
    assert told.value.mend == "dvc repro -f train@toy-level"


def test_shuffled_rows_score_as_they_stood_and_shuffled_predictions_do_not(path: Path) -> None:
    """The order of the file decides nothing; whose prediction it is does."""
    table = pl.read_parquet(path)
    valid, said, _ = validated(TASK, rows(), [0, 1, 2], path)
    table.sample(fraction=1, shuffle=True, seed=1).write_parquet(path)
    assert np.array_equal(validated(TASK, rows(), [0, 1, 2], path)[1]["best"], said["best"])
    first = pl.col("fold") == 0
    other = table.filter(first).with_columns(best=pl.col("best").reverse())
    pl.concat([other, table.filter(~first)]).write_parquet(path)
    planted = validated(TASK, rows(), [0, 1, 2], path)[1]["best"]
    labels = TASK.labels(valid) + valid.columns["fold"][:, None]
    assert TASK.metrics(said["best"], labels)["mae"] == pytest.approx(0, abs=1e-6)
    assert TASK.metrics(planted, labels)["mae"] > 0.1


def test_a_class_table_that_ends_sooner_in_a_fold_is_filled_with_nothing_known() -> None:
    from assay.stages.predictions import fold_by_fold

    def ask(fold: int, _: Rows, asked: Rows) -> np.ndarray:
        return np.full((len(asked), 2 + fold), fold, np.float32)

    said = fold_by_fold(rows(), [0, 1], ask)
    fold = rows().columns["fold"]
    assert said[:, 0].tolist() == fold[fold < 2].tolist()
    assert np.isnan(said[:, 2]).tolist() == (fold[fold < 2] == 0).tolist()


# --- the last epoch


def scored(last: np.ndarray) -> dict[str, float]:
    every = rows()
    said = {"best": TASK.labels(every) + np.float32(0.1), "last": last}
    return last_score(TASK, said, every, {"value": 0.1, "low": 0.1, "high": 0.1}, HOW)


def test_the_last_epoch_is_scored_as_the_best_is() -> None:
    every = rows()
    labels, groups = TASK.labels(every), every.columns["group_id"]
    noise = np.random.default_rng(0).normal(0, 0.3, labels.shape).astype(np.float32)
    found = scored(labels + noise)
    whole = score(TASK, labels + noise, labels + np.float32(1), labels, groups, HOW)
    assert found == pytest.approx(whole["mae"])
    assert scored(labels + np.float32(0.1))["value"] == 0.1  # the same: nothing is drawn anew


def test_a_last_epoch_without_an_answer_is_no_number() -> None:
    labels = TASK.labels(rows())
    found = scored(np.full_like(labels, np.nan))
    assert all(map(math.isnan, found.values()))
    assert len(found) == 3


@pytest.mark.parametrize("value", [0.25, math.nan])
def test_it_stands_in_the_table_and_in_the_line(tmp_path: Path, value: float) -> None:
    part = {"value": 0.2, "low": 0.1, "high": 0.3}
    scores = {
        "mae": part, "skill": part, "baseline": {}, "groups": 30, "rows": 60, "folds": 3,
        "metrics_version": 1, "last": dict.fromkeys(part, value),
    }  # fmt: skip
    write_scores(tmp_path, scores, TASK.short, "mae")
    assert len((tmp_path / "metrics.json").read_text().splitlines()) == 6  # four numbers, as before
    again = read_scores(tmp_path / "scores.csv")
    assert again["last"] == pytest.approx(scores["last"], nan_ok=True)
    line = summary(TASK, again, {"group_kind": "patient", "source": "phantom"})
    assert "30 patients (60 images), all 3 folds · phantom · last epoch " in line
    assert line.endswith("no answer" if math.isnan(value) else "0.250 [0.250, 0.250]")
