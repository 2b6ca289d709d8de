"""Pictures of Hb predictions: scatter, and Bland–Altman (Lancet 1986; 327: 307–310)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from assay.runs.figures import save_figure

Floats = npt.NDArray[np.float32]
LIMITS = 1.96  # standard deviations: 95 % limits of agreement


def draw(predictions: Floats, labels: Floats, folder: Path) -> None:
    """Write `scatter.png` and `bland_altman.png`, both in g/dL."""
    _save(folder / "scatter.png", lambda axes: _scatter(axes, predictions, labels))
    _save(folder / "bland_altman.png", lambda axes: _bland_altman(axes, predictions, labels))


def _scatter(axes: Axes, predictions: Floats, labels: Floats) -> None:
    low = float(min(predictions.min(), labels.min())) - 0.3
    high = float(max(predictions.max(), labels.max())) + 0.3
    axes.plot([low, high], [low, high], color="0.6", linewidth=1)
    axes.axhline(float(labels.mean()), color="0.8", linewidth=1, linestyle=":")
    axes.scatter(labels, predictions, s=18, alpha=0.6, edgecolors="none")
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    axes.set(xlabel="measured Hb (g/dL)", ylabel="predicted Hb (g/dL)")
    axes.set_title(f"Validation, {len(labels)} images")


def _bland_altman(axes: Axes, predictions: Floats, labels: Floats) -> None:
    mean, difference = (predictions + labels) / 2, predictions - labels
    bias, spread = float(difference.mean()), float(difference.std(ddof=1))
    axes.scatter(mean, difference, s=18, alpha=0.6, edgecolors="none")
    for value, style in (
        (bias, "-"),
        (bias - LIMITS * spread, "--"),
        (bias + LIMITS * spread, "--"),
    ):
        axes.axhline(value, color="0.4", linestyle=style, linewidth=1)
        axes.annotate(
            f"{value:+.2f}", (1.01, value), xycoords=("axes fraction", "data"), va="center"
        )
    axes.set(
        xlabel="mean of measured and predicted Hb (g/dL)", ylabel="predicted − measured (g/dL)"
    )
    axes.set_title("Bland–Altman: bias and 95 % limits of agreement")


def _save(path: Path, paint: Callable[[Axes], None]) -> None:
    figure = Figure(figsize=(5.6, 4.6), dpi=110, layout="constrained")
    paint(figure.add_subplot())
    save_figure(figure, path)
