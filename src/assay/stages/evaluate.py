"""Evaluate: score the validation rows, with intervals by group and skill against the baseline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from assay.contract.bundle import read_bundle
from assay.contract.scored import ensure_answers
from assay.contract.task_capabilities import SupportsInputPreview, SupportsSlices
from assay.contract.task_rows import task_rows
from assay.learning.scoring import score, slice_scores
from assay.learning.summary import summary
from assay.lookup import find_task
from assay.manifest.parts import read_trainval, validation_fold
from assay.runs.files import atomic_write, write_json
from assay.stages.predictions import write_predictions

if TYPE_CHECKING:
    from assay.stages.launch import Stage


def main(stage: Stage) -> None:
    """Write metrics, predictions and pictures into `reports/<task>/`."""
    task = find_task(stage.item)
    params = stage.params(task.params)
    rows, facts = read_trainval(task.data)
    train, valid = validation_fold(task_rows(task, rows, params), params.train.fold)
    labels, bundle = task.labels(valid), read_bundle(Path("models") / task.name)
    _, asked = validation_fold(rows, params.train.fold)
    predictions = task.predictor(bundle, params)(asked)
    ensure_answers(task, predictions, valid)
    baseline = task.baseline(train, valid)
    groups = valid.columns["group_id"]
    scores = score(task, predictions, baseline, labels, groups, params.evaluate)
    if params.evaluate.best_of > 1:
        scores["best_of"] = params.evaluate.best_of
    reports = Path("reports") / task.name
    write_json(reports / "metrics.json", scores)
    write_predictions(reports, valid, predictions, baseline, labels)
    task.pictures(predictions, valid, reports / "pictures")
    if isinstance(task, SupportsInputPreview):
        task.draw_seen(bundle.weights, valid, reports / "pictures")
    if isinstance(task, SupportsSlices):
        parts = task.slices(valid)
        lines = slice_scores(task, predictions, labels, groups, parts, params.evaluate)
        atomic_write(reports / "pictures" / "slices.csv", pl.DataFrame(lines).write_csv)
    print(summary(task, scores, facts))
