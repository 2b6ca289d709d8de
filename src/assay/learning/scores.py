"""Metrics of regression tasks, by torchmetrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def regression_scores(
    predictions: Floats, labels: Floats, within: Sequence[float]
) -> dict[str, float]:
    """Return `mae`, `rmse`, `r2` and, for each δ in `within`, `acc_δ`: the share of errors ≤ δ.

    Args:
        predictions: (n, 1) in label units.
        labels: (n, 1) in label units.
        within: tolerances in label units.
    """
    import torch
    from torchmetrics.functional.regression import mean_absolute_error, r2_score

    if predictions.shape != labels.shape:
        raise ValueError(f"predictions {predictions.shape}, labels {labels.shape}")
    predicted, true = torch.from_numpy(predictions).double(), torch.from_numpy(labels).double()
    error = (predicted - true).abs()
    # R² of fewer than two samples, or of equal labels, is not defined.
    defined = len(true) > 1 and bool((true != true[0]).any())
    scores = {
        "mae": float(mean_absolute_error(predicted, true)),
        "rmse": float(error.square().mean().sqrt()),
        "r2": float(r2_score(predicted.flatten(), true.flatten())) if defined else float("nan"),
    }
    # 1e-6: labels have one decimal, so a tolerance must not miss an error of 0.5000001.
    tolerances = {
        f"acc_{delta}": float((error <= delta + 1e-6).double().mean()) for delta in within
    }
    return scores | tolerances


def regression_rank(scores: Mapping[str, float]) -> tuple[float, ...]:
    """Return the epoch rule: R² > 0 first, then lowest MAE, ACC@1.0 ↑, ACC@0.5 ↑, R² ↑.

    Where no epoch has R² > 0 the first entry is equal for all, so all are candidates.
    """
    r2 = scores["r2"] if scores["r2"] == scores["r2"] else -np.inf
    return (float(not r2 > 0), scores["mae"], -scores["acc_1.0"], -scores["acc_0.5"], -r2)
