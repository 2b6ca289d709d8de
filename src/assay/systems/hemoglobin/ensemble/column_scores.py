"""Metrics of many predictions of the same rows at once, as `learning.scores` has them of one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.floating]
Scores = dict[str, npt.NDArray[np.float64]]
WITHIN = (0.5, 1.0, 2.0)  # g/dL: ACC@δ
SLACK = 1e-6  # labels have one decimal: an error of 0.5000001 is one of 0.5


def column_scores(said: Numbers, labels: Numbers) -> Scores:
    """Return `mae`, `rmse`, `r2` and `acc_δ` of each column.

    Args:
        said: (columns, rows) in g/dL; a column with nan has nan in all but the shares.
        labels: (rows,) in g/dL.

    Returns:
        metric → (columns,); `r2` is nan of fewer than two rows, and of equal labels.
    """
    true = np.asarray(labels, np.float64)
    error = np.abs(np.asarray(said, np.float64) - true)
    squares = (error**2).mean(axis=1)
    defined = len(true) > 1 and bool((true != true[0]).any())
    r2 = 1 - squares / true.var() if defined else np.full(len(error), np.nan)
    shares = {f"acc_{delta}": (error <= delta + SLACK).mean(axis=1) for delta in WITHIN}
    return {"mae": error.mean(axis=1), "rmse": np.sqrt(squares), "r2": r2, **shares}


def by_column(scores: Scores) -> list[dict[str, float]]:
    """Return the metrics of each column by themselves."""
    return [
        dict(zip(scores, map(float, own), strict=True))
        for own in zip(*scores.values(), strict=True)
    ]
