"""What the report of fusion is made of: predictions of the rows that validated, and a record's facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from assay.runs.files import read_json
from assay.runs.record import OUT_OF_FOLD, RECORD
from assay.systems.hemoglobin.ensemble.columns import (
    ANSWER,
    COLUMNS,
    SINGLES,
    VERSIONS,
    column_place,
)
from assay.systems.hemoglobin.ensemble.selection import Configuration

if TYPE_CHECKING:
    from pathlib import Path

    from assay.sections.task import Evaluate

Floats = npt.NDArray[np.float32]
Weights = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class FusionResult:
    """One trained grid, on the rows that validated.

    Attributes:
        predictions: (rows, 13) out of fold, by `columns.COLUMNS`; nan in what there is not.
        trainings: (rows, configurations) what each configuration says out of fold.
        labels: (rows,) g/dL.
        baseline: (rows,) the mean of each row's training labels.
        groups: (rows,) patients.
        configurations: of the grid, as `trainings` has them.
        jobs: trainings that were made.
        finalists: column → name of what fills it.
        mix: version → member's name → weight.
        selection: how finalists and weights were chosen.
        how: intervals are drawn.
    """

    predictions: Floats
    trainings: Floats
    labels: Floats
    baseline: Floats
    groups: npt.NDArray[np.generic]
    configurations: Sequence[Configuration]
    jobs: int
    finalists: Mapping[str, str]
    mix: Weights
    selection: str
    how: Evaluate

    def column(self, name: str) -> Floats:
        """Return what a column says (rows,), in g/dL."""
        found: Floats = self.predictions[:, column_place(name)]
        return found

    @property
    def columns(self) -> list[str]:
        """Return the columns that say something of every row, the answer's copy left out."""
        names = [name for name in COLUMNS if name != ANSWER]
        return [name for name in names if np.isfinite(self.column(name)).all()]

    @property
    def versions(self) -> list[str]:
        """Return the versions that have an ensemble; the first is the one that counts."""
        return [name for name in VERSIONS if name in self.columns]

    def compared(self, column: str) -> int:
        """Return the best of how many a column is, on these very rows.

        A finalist is of its phase and version, an ensemble of all of its version; of a search over
        parameters each trial made as many.
        """
        if column in SINGLES:
            return 1
        version = next(name for name in VERSIONS if f"{column}_".startswith(f"{name}_"))
        phases = Counter(each.phase for each in self.configurations if each.version == version)
        own = phases.total() if column in VERSIONS else phases[int(column.split("_p")[1][0])]
        return own * self.how.best_of


def read_result(
    folder: Path,
    predictions: Floats,
    rows: Mapping[str, npt.NDArray[np.generic]],
    labels: Floats,
    how: Evaluate,
) -> FusionResult:
    """Return the result of a model of all folds.

    Args:
        folder: of the model: its record (`jobs`; of `model` finalists, mix and selection), and what its
            trainings said out of fold, in the order in which `jobs` name the configurations first.
        predictions: (rows, 13) out of fold.
        rows: the columns `sample_id`, `fold` and `group_id` of all rows that validated.
        labels: (rows,) g/dL.
        how: intervals are drawn.
    """
    record = read_json(folder / RECORD)
    names = list(dict.fromkeys(job["name"] for job in record["jobs"]))
    table = pl.read_parquet(folder / OUT_OF_FOLD, columns=["sample_id", "trainings"])
    said = dict(zip(table["sample_id"], table["trainings"].to_list(), strict=True))
    return FusionResult(
        predictions=predictions,
        trainings=np.array([said[name] for name in rows["sample_id"].tolist()], np.float32),
        labels=labels, baseline=fold_means(labels, rows["fold"]), groups=rows["group_id"],
        configurations=[Configuration.parse(name) for name in names], jobs=len(record["jobs"]),
        finalists=record["model"]["finalists"], mix=record["model"]["mix"],
        selection=record["model"]["selection"], how=how,
    )  # fmt: skip


def fold_means(labels: Floats, folds: npt.NDArray[np.generic]) -> Floats:
    """Return for each row the mean label (rows,) of all folds but its own."""
    means = {fold: labels[folds != fold].mean(dtype=np.float64) for fold in np.unique(folds)}
    return np.array([means[fold] for fold in folds], np.float32)
