"""Class weights of an uneven training set: inverse frequency, or the effective number of samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
Weights = npt.NDArray[np.float64]


def inverse_frequency(counts: Counts, smooth: float) -> Weights:
    """Return N / (n_c + smooth) of each class, scaled to a mean of 1 over present classes.

    Args:
        counts: (C,) training rows of each class.
        smooth: added to each count: above 0, a class of one row weighs less.
    """
    return _settled(counts.sum() / np.maximum(counts + smooth, 1e-12), counts)


def effective_number(counts: Counts, beta: float) -> Weights:
    """Return (1 − β) / (1 − β^n_c), scaled to a mean of 1 over present classes (Cui et al., CVPR 2019).

    Args:
        counts: (C,) training rows of each class.
        beta: 0 weighs all alike; towards 1 it is the inverse frequency.
    """
    # expm1: at β = 0.9999 the difference from 1 would lose four of sixteen digits.
    power = counts * np.log(beta) if beta else np.where(counts > 0, -np.inf, 0.0)
    found: Any = (1 - beta) / np.maximum(-np.expm1(power), 1e-12)
    return _settled(found, counts)


def _settled(weights: Weights, counts: Counts) -> Weights:
    """Set what no row has to 0, and the mean of the others to 1."""
    present = counts > 0
    kept = np.where(present, weights, 0.0)
    mean = kept.sum() / max(int(present.sum()), 1)
    settled: Weights = kept / mean if mean else kept
    return settled
