"""Pictures of segmentations: overlays of the best, median and worst photograph, scores by class."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from assay.runs.figures import save_figure, save_table
from assay.systems.pills.learning.segmentation_scores import (
    cell_confusion_matrix,
    map_scores,
    scores_by_class,
)
from assay.systems.pills.tasks.segmentation_masks import masks_of, names_of

if TYPE_CHECKING:
    from assay.manifest.rows import Rows

Numbers = npt.NDArray[Any]
PALETTE = mpl.colormaps["tab10"].colors  # type: ignore[attr-defined]


def draw(predictions: Numbers, labels: Numbers, rows: Rows, folder: Path) -> None:
    """Write `overlays.png` and `classes.csv`.

    Args:
        predictions: (n, cells), restored.
        labels: the same, what they are scored against.
        rows: the photographs.
        folder: where both go.
    """
    names = names_of(rows)
    pairs = zip(predictions, labels, strict=True)
    own = np.array([map_scores(said[None], true[None])["miou"] for said, true in pairs])
    order = np.argsort(-own, kind="stable")
    chosen = {"best": order[0], "median": order[len(order) // 2], "worst": order[-1]}
    figure = Figure(figsize=(11, 7.4), dpi=90, layout="constrained")
    for (name, row), pair in zip(chosen.items(), figure.subplots(2, 3).T, strict=True):
        for axes, title, cells in zip(
            pair, ("stated", "predicted"), (labels[row], predictions[row]), strict=True
        ):
            _overlay(axes, rows.image[row], cells)
            axes.set_ylabel(title)
        shown = Path(str(rows.columns["sample_id"][row])).name
        pair[0].set_title(f"{name}: {shown}, IoU {own[row]:.2f}", fontsize=8)
    handles = [
        Patch(color=PALETTE[number % 10], label=name) for number, name in enumerate(names) if number
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=6, fontsize=8)
    save_figure(figure, folder / "overlays.png")
    save_table(folder, "classes.csv", class_table(predictions, labels, names))


def class_table(predictions: Numbers, labels: Numbers, names: tuple[str, ...]) -> str:
    """Return a CSV: class, cells stated and predicted, IoU and Dice; empty where neither has it."""
    counts = cell_confusion_matrix(predictions, labels, len(names))
    lines = ["class,stated,predicted,iou,dice"]
    stated, called = counts.sum(axis=1), counts[:, :-1].sum(axis=0)
    for number, (iou, dice) in enumerate(zip(*scores_by_class(counts), strict=True)):
        figures = [f"{value:.4f}" if np.isfinite(value) else "" for value in (iou, dice)]
        lines.append(",".join([names[number], str(stated[number]), str(called[number]), *figures]))
    return "\n".join(lines) + "\n"


def draw_row(row: Rows, path: Path) -> None:
    """Draw one photograph and its whole mask beside it."""
    figure = Figure(figsize=(8, 4), dpi=90, layout="constrained")
    plain, masked = figure.subplots(1, 2)
    plain.imshow(row.image[0])
    plain.set_axis_off()
    _overlay(masked, row.image[0], masks_of(row)[0].ravel().astype(np.float32))
    save_figure(figure, path)


def _overlay(axes: Axes, image: Numbers, cells: Numbers) -> None:
    """Lay the classes over the image, half transparent; the ground is left clear."""
    side, size = round(len(cells) ** 0.5), len(image)
    grid = np.nan_to_num(cells).astype(int).reshape(side, side)
    colour = np.zeros((side, side, 4))
    colour[..., :3] = np.array(PALETTE)[grid % 10]
    colour[..., 3] = 0.55 * (grid > 0)
    axes.imshow(image)
    # Cells lie over whole pixels, whose centres have whole numbers.
    axes.imshow(colour, extent=(-0.5, size - 0.5, size - 0.5, -0.5), interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
