"""Scores of class maps, over all cells of all rows: mean IoU, mean Dice, pixel accuracy.

A class that neither side has is not counted. A label that is nan (a cell outside of the photograph) is
left out; a prediction that is nan there is wrong of whatever is stated.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[Any]
Counts = npt.NDArray[np.int64]


def cell_confusion_matrix(said: Floats, true: Floats, classes: int) -> Counts:
    """Return how many cells (classes, classes + 1) of each class were called which; nan comes last.

    Args:
        said: (n, cells) class numbers, or nan.
        true: the same.
        classes: how many there are.
    """
    known = ~np.isnan(true)
    row = true[known].astype(np.int64)
    column = np.nan_to_num(said[known], nan=classes).astype(np.int64)
    width = classes + 1
    flat = np.bincount(row * width + column, minlength=classes * width)
    return flat.reshape(classes, width)


def scores_by_class(counts: Counts) -> tuple[Floats, Floats]:
    """Return IoU and Dice of each class; nan of one that neither side has."""
    hits = np.diag(counts).astype(np.float64)
    stated, called = counts.sum(axis=1), counts[:, :-1].sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return hits / (stated + called - hits), 2 * hits / (stated + called)


def map_scores(said: Floats, true: Floats) -> dict[str, float]:
    """Return `miou`, `dice`, `pixel_accuracy` of class maps (n, cells)."""
    largest = max(np.nanmax(each, initial=0) for each in (said, true))
    counts = cell_confusion_matrix(said, true, int(largest) + 1)
    iou, dice = scores_by_class(counts)
    return {
        "miou": float(np.nanmean(iou)),
        "dice": float(np.nanmean(dice)),
        "pixel_accuracy": float(np.diag(counts).sum() / max(counts.sum(), 1)),
    }
