"""Pictures of found pills: the best, median and worst photograph, and precision over recall."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from assay.runs.figures import save_figure
from assay.systems.pills.learning.detection_scores import (
    OVERLAPS,
    USED,
    as_boxes,
    curve,
    match_by_class,
    photograph_f1,
)
from assay.systems.pills.tasks import boxes
from assay.systems.pills.tasks.detector_data import data_set
from assay.systems.pills.tasks.detector_fit import shown
from assay.systems.pills.tasks.detector_params import DetectorModel, DetectorTrain
from assay.systems.pills.tasks.detector_settings import settings
from assay.systems.pills.tasks.yolo import library

if TYPE_CHECKING:
    from assay.contract.bundle import Bundle
    from assay.manifest.rows import Rows

Numbers = npt.NDArray[Any]
TASK = "pills-detector"
TRUE, FOUND = "lime", "red"
LONGEST = 46  # letters of a title: more reach into the next photograph's
SHOWN = (0, 5)  # thresholds of the curves: overlap 0.5 and 0.75


def draw(predictions: Numbers, labels: Numbers, rows: Rows, folder: Path) -> None:
    """Write `overlays.png` and `precision_recall.png`."""
    _overlays(predictions, labels, rows, folder / "overlays.png")
    _curves(predictions, labels, folder / "precision_recall.png")


def draw_true(row: Rows, path: Path) -> None:
    """Draw one stored photograph with its true boxes and their classes."""
    figure = Figure(figsize=(7, 7), layout="constrained")
    axes: Axes = figure.add_subplot()
    axes.imshow(row.image[0])
    true = as_boxes(boxes.to_stored(boxes.padded(boxes.pill_boxes(row)), row))[0]
    _boxes(axes, true, TRUE, [str(code) for code in row.columns["codes"][0]])
    axes.set_title(title(row, 0), fontsize=9)
    axes.set_axis_off()
    save_figure(figure, path)


def draw_augmented(bundle: Bundle, rows: Rows, folder: Path) -> None:
    """Draw eight photographs as training augments them, with the boxes that it is then taught."""
    told = bundle.record["params"][TASK]
    model, how = DetectorModel(**told["model"]), DetectorTrain(**told["train"])
    args = library().settings(overrides=settings(model, how, folder))
    random.seed(how.seed)
    np.random.seed(how.seed)  # noqa: NPY002 - ultralytics draws from it
    data = data_set(shown(rows, None), args, 1, True)
    figure = Figure(figsize=(12, 6.2), layout="constrained")
    for place, axes in enumerate(figure.subplots(2, 4).flat):
        view = data[place % len(rows)]
        axes.imshow(view["img"].permute(1, 2, 0).numpy())
        side = view["img"].shape[-1]
        found = view["bboxes"].numpy().reshape(-1, 4).astype(np.float64) * side
        found[:, :2] -= found[:, 2:] / 2
        _boxes(axes, found, TRUE)
        axes.set_axis_off()
    figure.suptitle("photographs as training augments them", fontsize=9)
    save_figure(figure, folder / "augmented.png")


def title(rows: Rows, row: int) -> str:
    """Return a photograph's file name, its middle left out where it names many drugs."""
    name = str(rows.columns["sample_id"][row]).rpartition("/")[2]
    return name if len(name) <= LONGEST else f"{name[: LONGEST // 2]}…{name[-LONGEST // 2 :]}"


def _overlays(predictions: Numbers, labels: Numbers, rows: Rows, path: Path) -> None:
    """Draw three photographs by F1; of equal ones the one with more pills is the better picture."""
    said = as_boxes(predictions)
    said[said[:, :, 4] < USED] = np.nan
    used = said.reshape(len(said), -1)
    scores = photograph_f1(used, labels)
    count = np.isfinite(as_boxes(labels)[:, :, 0]).sum(axis=1)
    order = np.lexsort((-count, -scores))
    chosen = {"best": order[0], "median": order[len(order) // 2], "worst": order[-1]}
    found, true = (as_boxes(boxes.to_stored(each, rows)) for each in (used, labels))
    figure = Figure(figsize=(12, 4.6), layout="constrained")
    for (name, row), axes in zip(chosen.items(), figure.subplots(1, 3), strict=True):
        axes.imshow(rows.image[row])
        _boxes(axes, true[row], TRUE)
        _boxes(axes, found[row], FOUND, [f"{score:.2f}" for score in found[row][:, 4]])
        axes.set_title(f"{name}: F1 {scores[row]:.2f}\n{title(rows, int(row))}", fontsize=8)
        axes.set_axis_off()
    figure.suptitle(f"true: {TRUE} · found, score {USED} or more: {FOUND}", fontsize=9)
    save_figure(figure, path)


def _boxes(axes: Axes, own: Numbers, color: str, texts: list[str] | None = None) -> None:
    """Draw boxes (k, 6), px of the stored square, whose pixels reach from −0.5."""
    for place, (x, y, width, height, *_) in enumerate(own):
        if not np.isfinite(x):
            continue
        low = (x - 0.5, y - 0.5)
        axes.add_patch(Rectangle(low, width, height, fill=False, color=color, linewidth=1.2))
        if texts is not None:
            axes.text(*low, texts[place], color=color, fontsize=7, verticalalignment="bottom")


def _curves(predictions: Numbers, labels: Numbers, path: Path) -> None:
    """Draw precision over recall, the mean of the classes where there are some."""
    found = [each for each in match_by_class(predictions, labels) if each.true]
    figure = Figure(figsize=(5, 4.4), layout="constrained")
    axes: Axes = figure.add_subplot()
    grid = np.linspace(0, 1, 201)
    for place in SHOWN:
        lines = [_at(*curve(each, place), grid) for each in found]
        mean = np.mean(lines, axis=0)
        axes.plot(grid, mean, label=f"overlap {OVERLAPS[place]:.2f}")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.legend(loc="lower left")
    save_figure(figure, path)


def _at(recall: Numbers, precision: Numbers, grid: Numbers) -> Numbers:
    """Return precision at the recalls of `grid`; 0 where they are not reached."""
    reached: Numbers = np.append(precision, 0.0)[np.searchsorted(recall, grid, side="left")]
    return reached
