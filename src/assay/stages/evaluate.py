"""Evaluate: score the validation rows, with intervals by group and skill against the baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from assay.contract.bundle import read_bundle
from assay.contract.scored import ensure_answers
from assay.contract.task_capabilities import SupportsInputPreview, SupportsReport, SupportsSlices
from assay.contract.task_rows import task_rows
from assay.errors import AssayError
from assay.learning.claims import is_in_sample
from assay.learning.scoring import headline_score, metrics_by_rows, score, slice_scores
from assay.learning.summary import summary
from assay.lookup import find_task
from assay.manifest.parts import read_trainval, validation_fold
from assay.runs.figures import save_table
from assay.runs.record import OUT_OF_FOLD
from assay.runs.scores import write_scores
from assay.stages.predictions import fold_by_fold, write_predictions

if TYPE_CHECKING:
    from assay.contract.scored import Floats
    from assay.contract.task import Task
    from assay.manifest.rows import Rows
    from assay.sections.task import Evaluate
    from assay.stages.launch import Stage

IDS = ("sample_id", "fold")
SAID = (
    "best",
    "last",
)  # the second is absent of a task that has a training of its own, and keeps none


def main(stage: Stage) -> None:
    """Write scores, predictions, tables and pictures into `reports/<task>/`."""
    task = find_task(stage.item)
    params = stage.params(task.params)
    rows, facts = read_trainval(task.data)
    bundle = read_bundle(Path("models") / task.name)
    fold = params.train.fold
    model = bundle.record["model"]
    folds = [fold] if isinstance(fold, int) else model["folds"]
    path = Path("models") / task.name / OUT_OF_FOLD
    valid, said, baseline = validated(task, task_rows(task, rows, params), folds, path)
    labels, groups, predictions = task.labels(valid), valid.columns["group_id"], said["best"]
    ensure_answers(task, predictions, valid)
    scores = score(task, predictions, baseline, labels, groups, params.evaluate)
    scores["last"] = last_score(task, said, valid, scores[task.headline.metric], params.evaluate)
    if len(folds) > 1:
        scores["folds"] = len(folds)
    scores |= chosen_among(model, params.evaluate.best_of)
    reports = Path("reports") / task.name
    write_scores(reports, scores, task.short, task.headline.metric)
    last = said["last"] if math.isfinite(scores["last"]["value"]) else None
    write_predictions(reports, valid, predictions, baseline, labels, last)
    task.pictures(predictions, valid, reports / "pictures")
    if isinstance(task, SupportsReport):
        task.report(predictions, valid, params, Path("models") / task.name, reports)
    if isinstance(task, SupportsInputPreview):
        _, own = validation_fold(valid, folds[0])
        task.draw_seen([*bundle.folds, bundle][0], own, reports / "pictures")
    parts = task.slices(valid) if isinstance(task, SupportsSlices) else {}
    lines = [all_rows(task, scores)]
    lines += slice_scores(task, predictions, labels, groups, parts, params.evaluate)
    save_table(reports / "pictures", "slices.csv", pl.DataFrame(lines).write_csv())
    print(summary(task, scores, facts))


def chosen_among(model: Mapping[str, Any], trials: int) -> dict[str, int]:
    """Return what the choice of a model makes of its numbers; nothing where nothing was chosen.

    Args:
        model: of its record; `compared` configurations of which its parts are the best, by `selection`.
        trials: of which its parameters are the best; each compared as many.
    """
    compared = trials * model.get("compared", 1)
    told = {"best_of": compared} if compared > 1 else {}
    return told | ({"in_sample": 1} if is_in_sample(model) else {})


def validated(
    task: Task, rows: Rows, folds: Sequence[int], path: Path
) -> tuple[Rows, dict[str, Floats], Floats]:
    """Return the rows that these folds validated, what was said of them, and the trivial predictor's.

    Args:
        task: that was trained.
        rows: its rows, of all folds.
        folds: that were trained; each row is asked of the one that it was kept from.
        path: of what the trainings said, `out_of_fold.parquet`.

    Raises:
        AssayError: that is not one prediction for every row, of its own fold.
    """
    valid = rows.where(np.isin(rows.columns["fold"], folds))
    table = pl.read_parquet(path)
    order = _places(table, valid, path, task.name)
    said = {name: table[name].to_numpy()[order] for name in SAID if name in table.columns}
    return valid, said, fold_by_fold(rows, folds, lambda _, *parts: task.baseline(*parts))


def _places(table: pl.DataFrame, valid: Rows, path: Path, task: str) -> npt.NDArray[np.int64]:
    """Return where in the table each row stands, by id and fold."""
    asked = list(zip(*(valid.columns[name].tolist() for name in IDS), strict=True))
    stated = list(zip(*(table[name].to_list() for name in IDS), strict=True))
    place = {each: row for row, each in enumerate(stated)}
    lost, strange = set(asked) - place.keys(), place.keys() - set(asked)
    found = [
        f"{len(some)} {what}, e.g. {min(some)[0]} of fold {min(some)[1]}"
        for some, what in ((lost, "rows lacking"), (strange, "rows of another split or fold"))
        if some
    ]
    if len(place) < len(stated):
        found.append(f"{len(stated) - len(place)} rows standing twice")
    if found:
        expected = f"each of the {len(asked)} rows once, by the model of the fold that it validates"
        raise AssayError(str(path), ", ".join(found), expected, f"dvc repro -f train@{task}")
    return np.array([place[each] for each in asked], dtype=np.int64)


def last_score(
    task: Task, said: Mapping[str, Floats], valid: Rows, best: dict[str, float], how: Evaluate
) -> dict[str, float]:
    """Return the headline of the last epoch, which no row chose; nan where that says no answers.

    Args:
        task: that was trained.
        said: predictions (n, outputs) of the `best` and of the `last` epoch.
        valid: the rows.
        best: the headline of the best epoch.
        how: the interval is drawn.
    """
    if "last" in said and np.array_equal(said["best"], said["last"], equal_nan=True):
        return best
    none = dict.fromkeys(("value", "low", "high"), math.nan)
    if "last" not in said or task.refuse_predictions(said["last"], valid):
        return none
    rows, metrics = np.arange(len(valid)), metrics_by_rows(task, said["last"], task.labels(valid))
    if not math.isfinite(metrics(rows)[task.headline.metric]):
        return none
    return headline_score(task, metrics, rows, valid.columns["group_id"], how)


def all_rows(task: Task, scores: dict[str, Any]) -> dict[str, Any]:
    """Return the line of all rows: a table that every task has, since DVC warns of an empty folder."""
    metric, counts = task.headline.metric, {name: scores[name] for name in ("rows", "groups")}
    return {"by": "all", "part": "all", "metric": metric, **scores[metric], **counts}
