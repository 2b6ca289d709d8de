"""Whether a network knows how sure it is: its expected error against the observed one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from assay.learning.intervals import group_intervals
from assay.runs.figures import save_figure
from assay.systems.ceph.tasks.landmarks_scores import rank_correlation

Numbers = npt.NDArray[Any]
BINS = 8  # equally many points each
RESAMPLES, CONFIDENCE, SEED = 500, 0.95, 0  # of the bars; films are drawn


def bins(doubt: Numbers, errors: Numbers) -> Numbers:
    """Return (bins, 4): mean expected error, mean observed error, and its interval by film.

    Args:
        doubt: (n, 29) expected errors, px.
        errors: (n, 29) observed errors, px; nan where there is no label.

    A bin that no point falls into, of equal doubts, is left out.
    """
    known = np.isfinite(errors) & np.isfinite(doubt)
    edges = np.quantile(doubt[known], np.linspace(0, 1, BINS + 1)[1:-1])
    bin_of = np.where(known, np.searchsorted(edges, doubt, side="right"), -1)
    filled = [number for number in range(BINS) if (bin_of == number).any()]
    masks = [bin_of == number for number in filled]

    def observed(rows: npt.NDArray[np.int64]) -> list[float]:
        drawn = [(errors[rows], mask[rows]) for mask in masks]
        return [float(each[mask].mean()) if mask.any() else np.nan for each, mask in drawn]

    films = np.arange(len(errors))
    intervals = group_intervals(films, observed, RESAMPLES, CONFIDENCE, SEED)
    expected = [doubt[mask].mean() for mask in masks]
    rows = zip(expected, observed(films), intervals, strict=True)
    return np.array([[one, other, low, high] for one, other, (low, high) in rows])


def draw(doubt: Numbers, errors: Numbers, path: Path) -> None:
    """Write the picture: on the diagonal the network's doubt is the error that it has to expect."""
    if not (np.isfinite(errors) & np.isfinite(doubt)).any():
        return
    found = bins(doubt, errors)
    expected, observed, low, high = found.T
    figure = Figure(figsize=(4.6, 4.2), layout="constrained")
    axes: Axes = figure.add_subplot()
    end = 1.1 * float(np.nanmax(found))
    axes.plot([0, end], [0, end], color="0.6", linewidth=0.8, label="as expected")
    bars = np.clip(np.nan_to_num([observed - low, high - observed]), 0, None)
    axes.errorbar(expected, observed, bars, fmt="o", markersize=4, capsize=2, label="observed")
    axes.set(xlim=(0, end), ylim=(0, end), xlabel="expected error, px of the film")
    axes.set(ylabel="mean error, px of the film; 95 % by film")
    count = int(np.isfinite(errors).sum())
    rank = rank_correlation(doubt, errors)
    axes.set_title(f"{count} points in {len(found)} bins; rank correlation {rank:.2f}", fontsize=9)
    axes.legend(fontsize=8, loc="upper left")
    save_figure(figure, path)
