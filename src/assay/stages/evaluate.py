"""Evaluate: score the validation rows, with intervals by group and skill against the baseline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from assay import contract
from assay.learning.scoring import Sliced, score, slice_scores
from assay.manifest.parts import read_trainval, validation_fold
from assay.manifest.rows import Rows
from assay.runs.files import write_aside, write_json
from assay.runs.record import WEIGHTS
from assay.runs.summary import summary
from assay.stages.launch import Stage

Floats = np.ndarray[Any, np.dtype[np.float32]]


def main(stage: Stage) -> None:
    """Write metrics, predictions and pictures into `reports/<task>/`."""
    task = contract.find_task(stage.item)
    params = stage.params(task.params)
    rows, facts = read_trainval(task.data)
    own = contract.task_rows(task, rows, params)
    train, valid = validation_fold(own, params.train.fold)
    labels = task.labels(valid)
    weights = Path("models") / task.name / WEIGHTS
    said = task.predictor(weights, params)(valid.images)
    predictions = task.restore(said, valid)
    baseline = task.baseline(train, valid)
    groups = valid.columns["group_id"]
    scores = score(task, predictions, baseline, labels, groups, params.evaluate)
    if params.evaluate.best_of > 1:
        scores["best_of"] = params.evaluate.best_of
    reports = Path("reports") / task.name
    write_json(reports / "metrics.json", scores)
    write_predictions(reports / "predictions.csv", valid, predictions, baseline, labels)
    task.pictures(predictions, valid, reports / "pictures")
    if isinstance(task, contract.Looking):
        task.draw_seen(weights, valid, reports / "pictures")
    if isinstance(task, Sliced):
        parts = task.slices(valid)
        lines = slice_scores(task, predictions, labels, groups, parts, params.evaluate)
        write_aside(reports / "pictures" / "slices.csv", pl.DataFrame(lines).write_csv)
    print(summary(task, scores, facts))


def write_predictions(
    path: Path, valid: Rows, predictions: Floats, baseline: Floats, labels: Floats
) -> None:
    """Write one line a validation row; several outputs stand in numbered columns."""
    columns: dict[str, Any] = {name: valid.columns[name] for name in ("sample_id", "group_id")}
    for name, values in (("label", labels), ("prediction", predictions), ("baseline", baseline)):
        several = values.shape[1] > 1
        for number in range(values.shape[1]):
            columns[f"{name}{number}" if several else name] = values[:, number]
    table = pl.DataFrame(columns)
    write_aside(path, table.write_csv)
