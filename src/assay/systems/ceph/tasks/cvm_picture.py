"""Pictures of CVM predictions: the confusion matrix, and the crops that the network sees."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from assay.learning.vision.classes import ABSENT, as_classes, middle_classes
from assay.learning.vision.scores import confusion_matrix
from assay.runs.figures import save_figure
from assay.systems.ceph.tasks import points
from assay.systems.ceph.tasks.cvm_crop import cut, stored_crop
from assay.systems.ceph.tasks.cvm_model import crop_squares
from assay.systems.ceph.tasks.names import STAGES
from assay.systems.ceph.tasks.roi import RULE_POINTS

if TYPE_CHECKING:
    from assay.manifest.rows import Rows

Numbers = npt.NDArray[Any]


def draw(predictions: npt.NDArray[np.float32], stages: npt.NDArray[np.float32], path: Path) -> None:
    """Draw how often each stage was called which; films without a stage are left out."""
    true = as_classes(stages)
    matrix = confusion_matrix(middle_classes(predictions), true, len(STAGES))
    figure = Figure(figsize=(4.8, 4.4), layout="constrained")
    axes: Axes = figure.add_subplot()
    axes.imshow(matrix, cmap="Blues", vmin=0, vmax=max(int(matrix.max()), 1))
    dark = matrix > matrix.max() / 2
    for (row, column), count in np.ndenumerate(matrix):
        axes.text(column, row, str(count), ha="center", va="center",
                  color="white" if dark[row, column] else "black")  # fmt: skip
    axes.set_xticks(range(len(STAGES)), STAGES)
    axes.set_yticks(range(len(STAGES)), STAGES)
    axes.set(xlabel="predicted", ylabel="stated")
    axes.set_title(f"Validation, {int((true != ABSENT).sum())} films with a stage")
    save_figure(figure, path)


def draw_crops(weights: Path, rows: Rows, stages: npt.NDArray[np.float32], path: Path) -> None:
    """Draw the first film of each stage: whole, with its square and the rule's points, and cut."""
    true = as_classes(stages)
    chosen = [np.flatnonzero(true == stage)[:1] for stage in range(len(STAGES))]
    placed = points.film_frame(rows).stored(points.target(rows))[:, RULE_POINTS]
    crop, size = stored_crop(weights, side=1), rows.image.shape[1]
    figure = Figure(figsize=(12, 4.4), layout="constrained")
    pairs = figure.subplots(2, len(STAGES)).T
    for name, found, (film, part) in zip(STAGES, chosen, pairs, strict=True):
        film.set_axis_off()
        part.set_axis_off()
        film.set_title(f"{name}: no film" if not len(found) else name, fontsize=9)
        for row in found:
            image = rows.image[row : row + 1]
            square = crop_squares(crop, image)
            film.imshow(image[0])
            film.scatter(*placed[row].T, s=8, color="lime")
            x, y, side = (square[0] * size).tolist()
            # Shares count from the outer edge of the first pixel, half a pixel before its centre.
            corner = (x - side / 2 - 0.5, y - side / 2 - 0.5)
            film.add_patch(Rectangle(corner, side, side, fill=False, color="red"))
            part.imshow(_cut_out(image, square))
    save_figure(figure, path)


def _cut_out(image: Numbers, square: Numbers) -> Numbers:
    """Return the square (1, 3) of one film (1, size, size, 3), at its own resolution."""
    planes = torch.from_numpy(np.ascontiguousarray(image)).permute(0, 3, 1, 2)
    side = max(1, round(float(square[0, 2]) * image.shape[1]))
    found = cut(planes, torch.from_numpy(square), side)[0].round().to(torch.uint8)
    shown: Numbers = found.permute(1, 2, 0).numpy()
    return shown
