"""Scores: every metric with its interval, the baseline's, the skill, and the numbers they rest on.

A metric may be absent of some rows (mm, where no pixel size is known); a bootstrap draw without it does
not count for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from assay.contract.task_capabilities import SupportsCounts
from assay.learning.intervals import SHARE, group_intervals, is_share

if TYPE_CHECKING:
    from assay.contract.scored import Scored
    from assay.learning.intervals import Bounds
    from assay.sections.task import Evaluate

Floats = npt.NDArray[np.float32]
Metrics = Callable[[npt.NDArray[np.int64]], dict[str, float]]


def score(
    task: Scored,
    predictions: Floats,
    baseline: Floats,
    labels: Floats,
    groups: npt.NDArray[np.generic],
    how: Evaluate,
) -> dict[str, Any]:
    """Return every score by name, as `runs.scores` keeps them.

    Args:
        task: whose metrics are taken.
        predictions: (n, outputs) of the model, in label units.
        baseline: (n, outputs) of the trivial predictor.
        labels: (n, outputs).
        groups: (n,) whose rows are drawn together.
        how: resamples, confidence and seed of the intervals.
    """
    headline, every = task.headline, np.arange(len(labels))
    model, trivial = (
        metrics_by_rows(task, predictions, labels),
        metrics_by_rows(task, baseline, labels),
    )
    base, metrics = trivial(every), model(every)
    names = [*metrics, "skill"]

    def statistics(rows: npt.NDArray[np.int64]) -> list[float]:
        mine = model(rows)
        mine["skill"] = headline.skill(mine[headline.metric], trivial(rows)[headline.metric])
        return [mine.get(name, np.nan) for name in names]

    bounds: list[Bounds | None] = [SHARE if is_share(name) else None for name in metrics]
    if is_share(headline.metric):
        bounds.append((headline.skill(1 - headline.best, base[headline.metric]), 1.0))
    spans = group_intervals(
        groups, statistics, how.n_resamples, how.confidence_level, how.seed, bounds
    )
    if metrics[headline.metric] == headline.best:  # in every resample: the skill follows
        edges = spans[names.index(headline.metric)]
        low, high = (headline.skill(edge, base[headline.metric]) for edge in edges)
        spans[-1] = min(low, high), max(low, high)
    scores: dict[str, Any] = {
        name: {"value": value, "low": low, "high": high}
        for name, value, (low, high) in zip(names, statistics(every), spans, strict=True)
    }
    return scores | {
        "baseline": base, "groups": len(np.unique(groups)), "rows": len(labels),
        "metrics_version": task.metrics_version,
    }  # fmt: skip


def headline_score(
    task: Scored,
    metrics: Metrics,
    rows: npt.NDArray[np.int64],
    groups: npt.NDArray[np.generic],
    how: Evaluate,
) -> dict[str, float]:
    """Return value, low and high of the headline over some rows, as `score` does over all.

    Args:
        task: whose headline is taken.
        metrics: of all rows; see `metrics_by_rows`.
        rows: (m,) those that count.
        groups: (m,) which of them are drawn together.
        how: resamples, confidence and seed; nan where the rows are of one group alone.
    """
    name = task.headline.metric

    def headline(some: npt.NDArray[np.int64]) -> list[float]:
        return [metrics(rows[some])[name]]

    bounds = [SHARE if is_share(name) else None]
    (value,) = headline(np.arange(len(rows)))
    ((low, high),) = group_intervals(
        groups, headline, how.n_resamples, how.confidence_level, how.seed, bounds
    )
    return {"value": value, "low": low, "high": high}


def widened(parts: Sequence[Floats]) -> list[Floats]:
    """Return arrays (…, outputs) as wide as the widest; of what one says nothing of, it says nan."""
    most = max(each.shape[1] for each in parts)
    return [
        np.pad(each, ((0, 0), (0, most - each.shape[1])), constant_values=np.nan) for each in parts
    ]


def metrics_by_rows(task: Scored, predictions: Floats, labels: Floats) -> Metrics:
    """Return a function of chosen rows (numbers, with repeats) to their metrics."""
    if isinstance(task, SupportsCounts):
        counts = task.counts(predictions, labels)
        return lambda rows: task.metrics_of(counts[rows])
    return lambda rows: task.metrics(predictions[rows], labels[rows])


def slice_scores(
    task: Scored,
    predictions: Floats,
    labels: Floats,
    groups: npt.NDArray[np.generic],
    slices: Mapping[str, npt.NDArray[np.generic]],
    how: Evaluate,
) -> list[dict[str, Any]]:
    """Return a line for each part of the rows: the headline with its interval, and what it rests on.

    Args:
        task: whose headline is taken.
        predictions: (n, outputs), in label units.
        labels: (n, columns).
        groups: (n,) whose rows are drawn together.
        slices: what the rows are parted by → the part (n,) that each belongs to.
        how: resamples, confidence and seed of the intervals; nan where a part has one group alone.
    """
    lines, whole = [], metrics_by_rows(task, predictions, labels)
    for by, parts in slices.items():
        for part in np.unique(parts):
            mine = np.flatnonzero(parts == part)
            lines.append({
                "by": by, "part": str(part), "metric": task.headline.metric,
                **headline_score(task, whole, mine, groups[mine], how),
                "rows": len(mine), "groups": len(np.unique(groups[mine])),
            })  # fmt: skip
    return lines
