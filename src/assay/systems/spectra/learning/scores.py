"""Scores of spectra: over the three distinct channels, each by itself, and bin by bin."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[Any]

CHANNELS = ("r", "g", "b")
FLAT = 1e-12  # a spectrum of less variance has no shape to be right about


def spectra_scores(
    predictions: Numbers, spectra: Numbers, mean: Numbers | None = None
) -> dict[str, float]:
    """Return `mse`, `pearson` and `r2` over R, G and B, and of each: `mse_r`, `pearson_g`, `r2_b`, ….

    `r2` is 1 − squared error / squared error of the mean spectrum, summed over samples and bins;
    `pearson` the mean correlation of single spectra: flat true ones left out, a flat prediction 0.

    Args:
        predictions: (n, 2, 2, bins).
        spectra: (n, 2, 2, bins), true.
        mean: spectrum (2, 2, bins) that a prediction must beat: the training set's; without it, that of
            `spectra` itself, which is a little harder.
    """
    if predictions.shape != spectra.shape:
        raise ValueError(f"predictions {predictions.shape}, spectra {spectra.shape}")
    said, true = channels(predictions), channels(spectra)
    trivial = true.mean(axis=0) if mean is None else channels(mean[None])[0]
    error, spread = np.square(said - true), np.square(trivial - true)
    shape = _correlations(said, true)
    scores = _three("", error, spread, shape)
    for k, channel in enumerate(CHANNELS):
        scores |= _three(f"_{channel}", error[:, k], spread[:, k], shape[:, k])
    return scores


def bin_errors(predictions: Numbers, spectra: Numbers) -> Numbers:
    """Return the root mean squared error (3, bins) of each channel in each bin."""
    error = np.square(channels(predictions) - channels(spectra))
    curve: Numbers = np.sqrt(error.mean(axis=0))
    return curve


def channels(spectra: Numbers) -> Numbers:
    """Return R, G, B (n, 3, bins) in float64 of cells (n, 2, 2, bins): G is the mean of the two."""
    cells = spectra.astype(np.float64)
    green = (cells[:, 0, 1] + cells[:, 1, 0]) / 2
    return np.stack([cells[:, 0, 0], green, cells[:, 1, 1]], axis=1)


def _three(ending: str, error: Numbers, spread: Numbers, shape: Numbers) -> dict[str, float]:
    total, known = float(spread.sum()), ~np.isnan(shape)
    return {
        f"mse{ending}": float(error.mean()),
        f"pearson{ending}": float(shape[known].mean()) if known.any() else float("nan"),
        f"r2{ending}": 1 - float(error.sum()) / total if total > 0 else float("nan"),
    }


def _correlations(said: Numbers, true: Numbers) -> Numbers:
    """Return Pearson's correlation (n, 3) along the bins; nan where the true spectrum is flat."""
    one, other = (each - each.mean(axis=-1, keepdims=True) for each in (said, true))
    own, their = np.square(one).mean(axis=-1), np.square(other).mean(axis=-1)
    found = (one * other).mean(axis=-1) / np.sqrt(np.maximum(own * their, FLAT**2))
    values: Numbers = np.where(their > FLAT, found, np.nan)
    return values
