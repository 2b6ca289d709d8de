"""The picture of a quantity: prediction against label."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from assay.runs.figures import save_figure

Numbers = npt.NDArray[Any]


def draw(predictions: Numbers, labels: Numbers, what: str, folder: Path) -> None:
    """Write `scatter.png`: (n,) each, on the diagonal both are equal."""
    figure = Figure(figsize=(4.6, 4.6), layout="constrained")
    axes: Axes = figure.add_subplot()
    low = float(min(predictions.min(), labels.min()))
    high = float(max(predictions.max(), labels.max()))
    axes.plot([low, high], [low, high], color="0.6", linewidth=1)
    axes.scatter(labels, predictions, s=18, alpha=0.6, edgecolors="none")
    axes.set(xlabel=what, ylabel=f"predicted {what}", aspect="equal")
    axes.set_title(f"Validation, {len(labels)} rows")
    save_figure(figure, folder / "scatter.png")
