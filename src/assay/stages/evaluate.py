"""Evaluate: score the validation rows, with intervals by group and skill against the baseline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from assay.contract.bundle import read_bundle
from assay.contract.scored import ensure_answers
from assay.contract.task_capabilities import SupportsInputPreview, SupportsSlices
from assay.contract.task_rows import task_rows
from assay.learning.scoring import score, slice_scores
from assay.learning.summary import summary
from assay.lookup import find_task
from assay.manifest.parts import read_trainval, validation_fold
from assay.runs.figures import save_table
from assay.runs.record import OUT_OF_FOLD
from assay.runs.scores import write_scores
from assay.stages.predictions import write_predictions

if TYPE_CHECKING:
    from assay.contract.scored import Floats
    from assay.contract.task import Task
    from assay.manifest.rows import Rows
    from assay.stages.launch import Stage


def main(stage: Stage) -> None:
    """Write scores, predictions, tables and pictures into `reports/<task>/`."""
    task = find_task(stage.item)
    params = stage.params(task.params)
    rows, facts = read_trainval(task.data)
    folder = Path("models") / task.name
    valid, said, baseline = validated(task, task_rows(task, rows, params), folder / OUT_OF_FOLD)
    labels, bundle = task.labels(valid), read_bundle(folder)
    predictions = said["best"]
    ensure_answers(task, predictions, valid)
    groups = valid.columns["group_id"]
    scores = score(task, predictions, baseline, labels, groups, params.evaluate)
    if params.evaluate.best_of > 1:
        scores["best_of"] = params.evaluate.best_of
    reports = Path("reports") / task.name
    write_scores(reports, scores, task.short, task.headline.metric)
    write_predictions(reports, valid, predictions, baseline, labels)
    task.pictures(predictions, valid, reports / "pictures")
    if isinstance(task, SupportsInputPreview):
        task.draw_seen(bundle.weights, valid, reports / "pictures")
    parts = task.slices(valid) if isinstance(task, SupportsSlices) else {}
    lines = [all_rows(task, scores)]
    lines += slice_scores(task, predictions, labels, groups, parts, params.evaluate)
    save_table(reports / "pictures", "slices.csv", pl.DataFrame(lines).write_csv())
    print(summary(task, scores, facts))


def validated(task: Task, rows: Rows, path: Path) -> tuple[Rows, dict[str, Floats], Floats]:
    """Return the rows that some fold validated, what was said of them, and the trivial predictor's.

    Args:
        task: that was trained.
        rows: its rows, of all folds.
        path: of what its trainings said.
    """
    table = pl.read_parquet(path)
    folds = table["fold"].unique().sort().to_list()
    valid = rows.where(np.isin(rows.columns["fold"], folds))
    place = {name: row for row, name in enumerate(table["sample_id"].to_list())}
    order = np.array([place[name] for name in valid.columns["sample_id"].tolist()])
    said = {name: table[name].to_numpy()[order] for name in ("best", "last")}
    parts = []
    for fold in folds:
        train, own = validation_fold(rows, fold)
        parts.append(task.baseline(train, own))
    places = np.concatenate([np.flatnonzero(valid.columns["fold"] == fold) for fold in folds])
    baseline = np.concatenate(parts)
    return valid, said, baseline[np.argsort(places)]


def all_rows(task: Task, scores: dict[str, Any]) -> dict[str, Any]:
    """Return the line of all rows: a table that every task has, since DVC warns of an empty folder."""
    metric, counts = task.headline.metric, {name: scores[name] for name in ("rows", "groups")}
    return {"by": "all", "part": "all", "metric": metric, **scores[metric], **counts}
