"""Scores: every metric with its interval, the baseline's, the skill, and the numbers they rest on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from assay.learning.intervals import group_intervals

if TYPE_CHECKING:
    from assay.contract import Task
    from assay.sections import Evaluate

Floats = npt.NDArray[np.float32]


def score(
    task: Task,
    predictions: Floats,
    baseline: Floats,
    labels: Floats,
    groups: npt.NDArray[np.generic],
    how: Evaluate,
) -> dict[str, Any]:
    """Return the content of a `metrics.json`.

    Args:
        task: whose metrics are taken.
        predictions: (n, outputs) of the model, in label units.
        baseline: (n, outputs) of the trivial predictor.
        labels: (n, outputs).
        groups: (n,) whose rows are drawn together.
        how: resamples, confidence and seed of the intervals.
    """
    headline = task.headline

    def statistics(rows: npt.NDArray[np.int64]) -> list[float]:
        own = task.metrics(predictions[rows], labels[rows])
        trivial = task.metrics(baseline[rows], labels[rows])
        return [*own.values(), headline.skill(own[headline.metric], trivial[headline.metric])]

    names = [*task.metrics(predictions, labels), "skill"]
    whole = statistics(np.arange(len(labels)))
    intervals = group_intervals(groups, statistics, how.resamples, how.confidence, how.seed)
    scores: dict[str, Any] = {
        name: {"value": value, "low": low, "high": high}
        for name, value, (low, high) in zip(names, whole, intervals, strict=True)
    }
    scores["baseline"] = task.metrics(baseline, labels)
    return scores | {"groups": len(np.unique(groups)), "rows": len(labels)}
