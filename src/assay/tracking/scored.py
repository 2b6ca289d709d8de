"""Scored predictions: what `evaluate` left of the validation rows, as comparisons and gates read it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from assay.errors import AssayError

Floats = npt.NDArray[np.float32]
KINDS = ("label", "prediction", "baseline")
LAST = "last"  # beside them, of a training
IDS = ("sample_id", "group_id")


@dataclass(frozen=True)
class ScoredRows:
    """The rows of one `predictions.parquet`: n validation rows, in label units.

    Attributes:
        sample_ids: (n), each once.
        groups: (n,) the group of each row, as text.
        labels: (n, m), what the metrics are taken against.
        predictions: (n, k) of the model.
        baseline: (n, k) of the trivial predictor, fitted on the training rows; it may say less.
        last: (n, k) of the model's last epoch, which no row chose; None: there is none, or no answer.
    """

    sample_ids: list[str]
    groups: npt.NDArray[np.str_]
    labels: Floats
    predictions: Floats
    baseline: Floats
    last: Floats | None = None

    def at(self, rows: npt.NDArray[np.int64]) -> ScoredRows:
        """Return the rows at these places, in their order."""
        return ScoredRows(
            [self.sample_ids[row] for row in rows],
            self.groups[rows],
            self.labels[rows],
            self.predictions[rows],
            self.baseline[rows],
            None if self.last is None else self.last[rows],
        )


def read_scored(path: Path) -> ScoredRows:
    """Read predictions.

    Raises:
        AssayError: it is absent, lacks a column, or names a sample twice.
    """
    if not path.exists():
        raise AssayError(str(path), "no such file", "predictions", "dvc repro evaluate@<task>")
    table = pl.read_parquet(path)
    if not {*IDS, *KINDS} <= set(table.columns):
        expected = "sample_id, group_id, and label, prediction, baseline for each output"
        raise AssayError(str(path), f"columns {', '.join(table.columns)}", expected)
    twice = table.filter(pl.col("sample_id").is_duplicated())["sample_id"]
    if len(twice):
        raise AssayError(str(path), f"sample {twice[0]} stands twice", "one row a sample")
    groups = table["group_id"].to_numpy().astype(str)
    kinds = [*KINDS, LAST] if LAST in table.columns else KINDS
    return ScoredRows(
        table["sample_id"].to_list(), groups, *(table[kind].to_numpy() for kind in kinds)
    )
