"""From single to ensemble: what each step reaches, and what it changes on the same patients.

All columns are scored on every bootstrap draw of the patients at once, so that what makes a patient easy
or hard for two of them cancels out of their difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from assay.contract.score import Score
from assay.learning.claims import is_in_sample, judge_numbers, rests_on, same_rows
from assay.learning.intervals import SHARE, group_intervals, is_share
from assay.learning.summary import interval_text
from assay.systems.hemoglobin.ensemble.column_scores import by_column, column_scores
from assay.systems.hemoglobin.ensemble.columns import SINGLES, VERSIONS, finalist_column

if TYPE_CHECKING:
    from assay.systems.hemoglobin.reports.result import FusionResult

MAE = Score("mae", "g/dL")
TITLES = {"nail": "single, nail", "conjunctiva": "single, conjunctiva"}
TITLES |= dict(zip(VERSIONS, ("with demographics", "without demographics"), strict=True))


@dataclass(frozen=True)
class StepChange:
    """MAE of `new` − MAE of `old` on the same rows, g/dL; below zero `new` is better."""

    old: str
    new: str
    value: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """Say what the interval leaves open."""
        if self.value == 0 and np.isnan(self.low):
            return "the same model"
        if self.high < 0:
            return "better"
        return "worse" if self.low > 0 else "not told apart"


@dataclass(frozen=True)
class StepScores:
    """Scores by column, as `runs.scores` keeps them, and the changes between steps."""

    scores: Mapping[str, Mapping[str, Any]]
    changes: Sequence[StepChange]


def step_columns(result: FusionResult, version: str) -> list[str]:
    """Return the steps of a version that there are: of each phase its lowest MAE, then the ensemble."""
    names = [finalist_column(version, phase, "mae") for phase in (1, 2)]
    return [name for name in (*names, version) if name in result.columns]


def measure_steps(result: FusionResult) -> StepScores:
    """Return every column's scores with intervals by patient, and the paired changes."""
    names = result.columns
    said = np.stack([result.column(name) for name in names])
    pairs = _pairs(result, said)
    fields = [*column_scores(said[:, :2], result.labels[:2]), "skill"]

    def scored(rows: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[np.float64]]:
        own = column_scores(said[:, rows], result.labels[rows])
        trivial = column_scores(result.baseline[None, rows], result.labels[rows])["mae"]
        return {**own, "skill": 1 - own["mae"] / (trivial[0] or np.nan)}

    def statistics(rows: npt.NDArray[np.int64]) -> list[float]:
        own = scored(rows)
        changed = [own["mae"][new] - own["mae"][old] for old, new in pairs]
        return [*np.stack([own[name] for name in fields], axis=1).ravel().tolist(), *changed]

    how, every = result.how, np.arange(len(result.labels))
    values = statistics(every)
    bounds = [SHARE if is_share(name) else None for _ in names for name in fields]
    found = group_intervals(
        result.groups, statistics, how.n_resamples, how.confidence_level, how.seed, bounds
    )
    parts = [
        {"value": value, "low": low, "high": high}
        for value, (low, high) in zip(values, found, strict=True)
    ]
    scores = {
        name: {
            **dict(zip(fields, parts[start : start + len(fields)], strict=True)),
            "groups": len(np.unique(result.groups)), "rows": len(every),
            "best_of": result.compared(name),
            "in_sample": int(is_in_sample({"selection": result.selection}) and name not in SINGLES),
        }
        for name, start in zip(names, range(0, len(parts), len(fields)), strict=False)
    }  # fmt: skip
    changes = [
        StepChange(names[old], names[new], **part)
        for (old, new), part in zip(pairs, parts[len(names) * len(fields) :], strict=True)
    ]
    return StepScores(scores, changes)


def _pairs(result: FusionResult, said: npt.NDArray[np.floating]) -> list[tuple[int, int]]:
    """Return (old, new) places among the columns, version by version; last, one over the other."""
    names, errors = result.columns, by_column(column_scores(said, result.labels))
    singles = [place for place, name in enumerate(names) if name in SINGLES]
    best = sorted(singles, key=lambda place: errors[place]["mae"])[:1]
    pairs: list[tuple[int, int]] = []
    for version in result.versions:
        steps = [names.index(name) for name in step_columns(result, version)]
        pairs += pairwise([*best, *steps])
    if len(result.versions) == len(VERSIONS):
        with_demographics, without = (names.index(version) for version in VERSIONS)
        pairs.append((without, with_demographics))
    return pairs


def title_of(column: str) -> str:
    """Return a column in words."""
    if column in TITLES:
        return TITLES[column] if column in SINGLES else f"ensemble, {TITLES[column]}"
    version, phase, criterion = column.rsplit("_", 2)
    chosen = {"mae": "lowest MAE", "r2": "highest R²"}[criterion]
    return f"phase {phase[1:]}, {chosen}, {TITLES[version]}"


def remarks_on(scores: Mapping[str, Any]) -> list[str]:
    """Return what may not be read out of these numbers."""
    return [check.found for check in judge_numbers(scores, "patients")]


def change_from_elsewhere(
    name: str, single: Mapping[str, Any], column: str, own: Mapping[str, Any]
) -> str:
    """Return why a single-modality task's own number, of its own rows, and a step give no change."""
    one, other = (
        f"{title} MAE {interval_text(each['mae'], MAE.digits)} on"
        f" {rests_on('patient', each['groups'], each['rows'])}"
        for title, each in ((name, single), (title_of(column), own))
    )
    refusal = same_rows(one, other, {"only in one": single["rows"], "only in other": own["rows"]})
    assert refusal is not None
    return refusal.found
