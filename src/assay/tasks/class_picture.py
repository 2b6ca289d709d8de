"""The picture of classes: the confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from assay.learning.vision.classes import ABSENT, as_classes
from assay.learning.vision.scores import confusion_matrix
from assay.runs.figures import save_figure

Numbers = npt.NDArray[Any]


def draw(predicted: Numbers, labels: Numbers, names: Sequence[str], folder: Path) -> None:
    """Write `confusion.png`: how often each class was called which; rows without one are left out.

    Args:
        predicted: (n,) indices.
        labels: (n,) indices; nan where absent.
        names: of the classes.
        folder: where to.
    """
    true = as_classes(labels)
    matrix = confusion_matrix(predicted, true, len(names))
    figure = Figure(figsize=(4.8, 4.4), layout="constrained")
    axes: Axes = figure.add_subplot()
    axes.imshow(matrix, cmap="Blues", vmin=0, vmax=max(int(matrix.max()), 1))
    dark = matrix > matrix.max() / 2
    for (row, column), count in np.ndenumerate(matrix):
        axes.text(column, row, str(count), ha="center", va="center",
                  color="white" if dark[row, column] else "black")  # fmt: skip
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="predicted", ylabel="stated")
    axes.set_title(f"Validation, {int((true != ABSENT).sum())} rows with a class")
    save_figure(figure, folder / "confusion.png")
