"""Paired differences: two sets of predictions on the same rows, with intervals by group.

Both are scored on every bootstrap draw of the same groups, so that what makes a subject easy or hard
for both cancels out. Positive says that the first has the higher value, be that better or worse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from assay.contract.scored import scoring_stage
from assay.errors import AssayError
from assay.learning.claims import other_metrics
from assay.learning.intervals import group_intervals, is_share
from assay.learning.scoring import metrics_by_rows
from assay.tracking.comparison import comparable, latest

if TYPE_CHECKING:
    from assay.contract.scored import Scored
    from assay.learning.scoring import Floats, Metrics
    from assay.sections.task import Evaluate
    from assay.tracking.comparison import Row
    from assay.tracking.projection import Projection
    from assay.tracking.results import Result
    from assay.tracking.scored import ScoredRows

SEED = "train.seed"
FEW_SEEDS = 3  # of two, the range says next to nothing


@dataclass(frozen=True)
class Difference:
    """One metric of both, and `value` = `one` − `other` in the metric's unit, with its interval."""

    metric: str
    one: float
    other: float
    value: float
    low: float
    high: float

    @property
    def is_beyond_zero(self) -> bool:
        """Say whether the interval leaves zero out; an interval that is not defined does not."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Noise:
    """What another seed alone changes: the headline's range over seeds of one configuration.

    Attributes:
        seeds: how many are known.
        spread: highest − lowest, in the metric's unit; it grows with the number of seeds.
        states: how many states of code and environment are among them; above 1 it is not seeds alone.
        last: the spread of the last epochs; nan where one has none.
    """

    seeds: int
    spread: float
    states: int
    last: float


@dataclass(frozen=True)
class Paired:
    """What was compared, what was left out, and the differences by metric.

    Attributes:
        groups: independent subjects compared.
        rows: compared.
        relabelled: rows of both, left out since their labels differ.
        only_one: rows that only the first predicts.
        only_other: rows that only the second predicts.
        differences: metric → difference, of the best epoch, which these very rows chose.
        last: the headline's of the last epoch, which none did; None where one side has none.
    """

    groups: int
    rows: int
    relabelled: int
    only_one: int
    only_other: int
    differences: Mapping[str, Difference]
    last: Difference | None = None


def paired(task: Scored, one: ScoredRows, other: ScoredRows, how: Evaluate) -> Paired:
    """Compare two models on the rows that both predict and whose labels agree.

    Args:
        task: whose metrics are taken.
        one: the first; its groups are drawn.
        other: the second.
        how: resamples, confidence and seed of the intervals.

    Raises:
        AssayError: fewer than two groups are left, or today's metrics do not take the outputs.
    """
    if one.labels.shape[1] != other.labels.shape[1]:
        found = f"{one.labels.shape[1]} and {other.labels.shape[1]} columns of labels"
        raise AssayError(f"{task.name}, paired", found, "the same columns")
    mine, theirs = _common(one, other)
    first_labels, second_labels = one.labels[mine], other.labels[theirs]
    unknown = np.isnan(first_labels) & np.isnan(second_labels)
    agree = ((first_labels == second_labels) | unknown).all(axis=1)
    first, second = one.at(mine[agree]), other.at(theirs[agree])
    groups, relabelled = len(set(first.groups)), len(mine) - int(agree.sum())
    if groups < 2:
        raise AssayError(
            f"{task.name}, paired",
            f"{groups} group(s) in common: {len(mine)} common rows of {len(one.sample_ids)} and"
            f" {len(other.sample_ids)}, {relabelled} of them relabelled",
            "at least 2 groups that both validate on, with equal labels",
            f"dvc repro {scoring_stage(task)} for both on one split, then again",
        )
    return Paired(
        groups=groups,
        rows=len(first.sample_ids),
        relabelled=relabelled,
        only_one=len(one.sample_ids) - len(mine),
        only_other=len(other.sample_ids) - len(mine),
        differences=_differences(task, first, second, how),
        last=_last(task, first, second, how),
    )


def against_baseline(task: Scored, one: ScoredRows, how: Evaluate) -> Paired:
    """Compare a model with its trivial predictor, on its own rows."""
    last = None if one.last is None else one.baseline
    return paired(task, one, replace(one, predictions=one.baseline, last=last), how)


def seed_noise(
    root: Path, task: Scored, shown: Projection, results: Sequence[Result] | None = None
) -> Noise | None:
    """Return the noise of a result's configuration and data, or None with fewer than 3 seeds known.

    What trains nothing has none.

    Args:
        root: the repository's root.
        task: whose headline is looked at.
        shown: the result; its seeds are the results that differ from it in `train.seed` alone.
        results: every known result, where the caller has them.
    """
    if SEED not in shown.params:
        return None
    others = {name: value for name, value in shown.params.items() if name != SEED}
    known = comparable(root, task.name, SEED, results)
    mine = next((rows for rows in known if _is_of(rows[0], others, shown.datasets)), [])
    rows = latest([row for row in mine if not other_metrics(task, row.scores)])
    if len(rows) < FEW_SEEDS:
        return None
    best, last = (
        np.ptp([row.metrics.get(name, np.nan) for row in rows])
        for name in (task.headline.metric, "last")
    )
    return Noise(len(rows), float(best), len({row.code for row in rows}), float(last))


def _is_of(row: Row, others: Mapping[str, str], data: Mapping[str, str]) -> bool:
    return row.others == others and row.data == data


def _common(
    one: ScoredRows, other: ScoredRows
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the places of the samples of both, by id: the order of the files decides nothing."""
    mine = {sample: row for row, sample in enumerate(one.sample_ids)}
    theirs = {sample: row for row, sample in enumerate(other.sample_ids)}
    shared = sorted(mine.keys() & theirs.keys())
    return (
        np.array([mine[sample] for sample in shared], dtype=np.int64),
        np.array([theirs[sample] for sample in shared], dtype=np.int64),
    )


def _differences(
    task: Scored, one: ScoredRows, other: ScoredRows, how: Evaluate, only: str = ""
) -> dict[str, Difference]:
    """Score both on the same draws; the rows of `one` and `other` are the same samples.

    What only one of them says (how sure it is, a second label) is left out. Two that agree on every row
    differ by 0 in every draw: of the groups that were not drawn that proves as much as their number does.
    With `only` one metric alone is told.
    """
    (mine, first), (others, second) = (
        _scored(task, each.predictions, one.labels) for each in (one, other)
    )
    names = [name for name in first if name in second and only in ("", name)]

    def statistics(rows: npt.NDArray[np.int64]) -> list[float]:
        own, theirs = mine(rows), others(rows)
        # A draw may have none of the rows that a metric is of.
        return [own.get(name, np.nan) - theirs.get(name, np.nan) for name in names]

    intervals = group_intervals(
        one.groups, statistics, how.n_resamples, how.confidence_level, how.seed,
        [(-1.0, 1.0) if is_share(name) else None for name in names],
    )  # fmt: skip
    return {
        name: Difference(name, first[name], second[name], first[name] - second[name], low, high)
        for name, (low, high) in zip(names, intervals, strict=True)
    }


def _last(task: Scored, one: ScoredRows, other: ScoredRows, how: Evaluate) -> Difference | None:
    """Return the headline's difference between both last epochs."""
    if one.last is None or other.last is None:
        return None
    first, second = replace(one, predictions=one.last), replace(other, predictions=other.last)
    metric = task.headline.metric
    return _differences(task, first, second, how, metric)[metric]


def _scored(task: Scored, predictions: Floats, labels: Floats) -> tuple[Metrics, dict[str, float]]:
    """Return the metrics as a function of rows, and those of every row.

    Raises:
        AssayError: the code that predicted may have said more, or less, than today's metrics take.
    """
    try:
        metrics = metrics_by_rows(task, predictions, labels)
        return metrics, metrics(np.arange(len(labels)))
    except (LookupError, RuntimeError, ValueError) as fault:
        raise AssayError(
            f"{task.name}, paired",
            f"predictions {predictions.shape} of labels {labels.shape}: {str(fault).partition('.')[0]}",
            "what today's metrics take",
            f"dvc repro {scoring_stage(task)} for both with one code, then again",
        ) from fault
