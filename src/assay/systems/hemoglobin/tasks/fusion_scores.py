"""Metrics of all columns of what fusion predicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.systems.hemoglobin.ensemble.column_scores import column_scores
from assay.systems.hemoglobin.ensemble.columns import ANSWER, COLUMNS, column_place

if TYPE_CHECKING:
    from assay.contract.scored import Floats


def fusion_scores(predictions: Floats, labels: Floats) -> dict[str, float]:
    """Return the metrics of the answer, and MAE and R² of every other column that is there.

    Args:
        predictions: (n, 13), nan in columns that are not there.
        labels: (n, 1).
    """
    scores = column_scores(predictions.T, labels[:, 0])
    answer = {name: float(values[column_place(ANSWER)]) for name, values in scores.items()}
    there = np.isfinite(scores["mae"])
    others = {
        f"{column}_{name}": float(scores[name][at])
        for at, column in enumerate(COLUMNS) if column != ANSWER and there[at]
        for name in ("mae", "r2")
    }  # fmt: skip
    return answer | others
