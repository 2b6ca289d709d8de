"""Scores of landmarks, in px and mm of the original film, and of classes in an order, by torchmetrics.

A point that has no label takes no part in anything, nor does a film without a pixel size in what is in
mm. Means run over points, not over the means of films: a film with half its points counts half.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_cohen_kappa,
    multiclass_confusion_matrix,
    multiclass_f1_score,
)

from assay.learning.vision.classes import ABSENT

Numbers = npt.NDArray[Any]

WITHIN_MM = (2.0, 2.5, 3.0, 4.0)
WITHIN_PX = (20.0, 25.0, 30.0, 40.0)  # the same at 0.1 mm, for films whose pixel size is not known

LEAST = 1e-7  # of a probability: float32 rounds what is below away


def radial_errors(predictions: Numbers, points: Numbers) -> Numbers:
    """Return the distances (n, K), px, of predictions and points (n, K, 2), px; nan where absent."""
    if predictions.shape != points.shape:
        raise ValueError(f"predictions {predictions.shape}, points {points.shape}")
    errors: Numbers = np.linalg.norm(predictions.astype(np.float64) - points, axis=2)
    return errors


def landmark_scores(predictions: Numbers, points: Numbers, spacing: Numbers) -> dict[str, float]:
    """Return `mre_px`, `mre_mm`, and success detection rates: `sdr_2mm` … and `sdr_20px` ….

    The rate is the share of points within the distance, the bound included (Wang et al., Medical Image
    Analysis 31, 2016). nan where there is nothing to count; what is in mm is absent where no film has a
    pixel size.

    Args:
        predictions: (n, K, 2), original px.
        points: (n, K, 2), original px; nan where absent.
        spacing: (n,) mm per original px; nan where not known.
    """
    pixels = radial_errors(predictions, points)
    millimetres = pixels * spacing[:, None]
    units = [("px", pixels, WITHIN_PX)]
    if np.isfinite(spacing).any():
        units.append(("mm", millimetres, WITHIN_MM))
    scores = {}
    for unit, errors, bounds in units:
        counted = errors[~np.isnan(errors)]
        scores[f"mre_{unit}"] = _mean(counted)
        scores |= {f"sdr_{bound:g}{unit}": _mean(counted <= bound) for bound in bounds}
    return scores


def landmark_means(errors: Numbers) -> Numbers:
    """Return the mean error (K,) of each landmark from errors (n, K); nan where nobody has it."""
    present = ~np.isnan(errors)
    count = present.sum(axis=0)
    total = np.where(present, errors, 0).sum(axis=0)
    means: Numbers = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return means


def class_scores(predictions: Numbers, classes: Numbers, count: int) -> dict[str, float]:
    """Return `accuracy`, `macro_f1`, `weighted_kappa` (quadratic) and `within_one`.

    Args:
        predictions: class indices (n,).
        classes: class indices (n,); −1 is absent.
        count: of the classes. One that neither occurs nor is predicted takes no part in the macro F1.
    """
    said, true = _present(predictions, classes)
    if not len(true):
        return dict.fromkeys(("accuracy", "macro_f1", "weighted_kappa", "within_one"), np.nan)
    return {
        "accuracy": float(multiclass_accuracy(said, true, count, average="micro")),
        "macro_f1": float(multiclass_f1_score(said, true, count, average="macro")),
        "weighted_kappa": float(multiclass_cohen_kappa(said, true, count, weights="quadratic")),
        "within_one": float(((said - true).abs() <= 1).double().mean()),
    }


def log_loss(probabilities: Numbers, classes: Numbers) -> float:
    """Return the mean of −ln of what the true class was given; nan where no class is known.

    Args:
        probabilities: probabilities (n, classes); one below 1e-7 counts as that.
        classes: class indices (n,); −1 is absent.
    """
    known = classes != ABSENT
    given = np.take_along_axis(probabilities[known], classes[known, None].astype(np.int64), axis=1)
    return _mean(-np.log(np.maximum(given.astype(np.float64), LEAST)))


def confusion_matrix(predictions: Numbers, classes: Numbers, count: int) -> Numbers:
    """Return how often (true class, predicted class) occurs, (count, count) int64."""
    said, true = _present(predictions, classes)
    matrix: Numbers = multiclass_confusion_matrix(said, true, count).numpy()
    return matrix


def _present(predictions: Numbers, classes: Numbers) -> Sequence[torch.Tensor]:
    known = classes != ABSENT
    return [torch.from_numpy(each[known].astype(np.int64)) for each in (predictions, classes)]


def _mean(values: Numbers) -> float:
    counted = values[~np.isnan(values)]
    return float(counted.mean()) if counted.size else float("nan")
