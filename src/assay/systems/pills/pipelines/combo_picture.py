"""The pictures that people look at first: photographs with what is on them, and what was said."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from assay.runs.figures import save_figure
from assay.systems.pills.learning.cuts import stored_boxes
from assay.systems.pills.pipelines.combo_scores import COUNTS
from assay.systems.pills.pipelines.combo_table import MISSED, RIGHT
from assay.systems.pills.tasks.detector_picture import title

if TYPE_CHECKING:
    from assay.manifest.rows import Rows

Numbers = npt.NDArray[Any]
TRUE, SAID, WRONG = "lime", "cyan", "orangered"
GROUND = {"facecolor": "black", "alpha": 0.6, "edgecolor": "none", "pad": 0.8}


def draw(counted: Numbers, table: pl.DataFrame, rows: Rows, folder: Path) -> None:
    """Write `photographs.png`: the best, median and worst by F1; of equal ones that with more pills."""
    found, true, right = (counted[:, COUNTS.index(name)] for name in ("found", "true", "right"))
    f1 = 2 * right / np.maximum(found + true, 1)
    order = np.lexsort((-true, -f1))
    chosen = {"best": order[0], "median": order[len(order) // 2], "worst": order[-1]}
    figure = Figure(figsize=(13.5, 5.6), layout="constrained")
    for (name, row), axes in zip(chosen.items(), figure.subplots(1, 3), strict=True):
        sample = str(rows.columns["sample_id"][row])
        _photograph(axes, rows, int(row), table.filter(sample_id=sample))
        count = f"{right[row]:g} of {true[row]:g} pills found and named, {found[row]:g} said"
        axes.set_title(f"{name}: F1 {f1[row]:.2f}, {count}\n{title(rows, int(row))}", fontsize=8)
    figure.suptitle(
        f"true, below its box: {TRUE} · said, above its box: {SAID} if right, else {WRONG}"
        " (found score · probability of the name)", fontsize=9,
    )  # fmt: skip
    save_figure(figure, folder / "photographs.png")


def _photograph(axes: Axes, rows: Rows, row: int, lines: pl.DataFrame) -> None:
    axes.imshow(rows.image[row])
    axes.set_axis_off()
    true = np.array([*rows.columns["boxes"][row]], dtype=np.float64).reshape(-1, 4)
    for box, code in zip(_stored(true, rows, row), rows.columns["codes"][row], strict=True):
        _box(axes, box, TRUE)
        axes.text(
            *_corner(box, below=True), str(code), color=TRUE, fontsize=7, va="top", bbox=GROUND
        )
    said = lines.filter(pl.col("outcome") != MISSED)
    places = said.select("x", "y", "width", "height").to_numpy()
    for box, line in zip(_stored(places, rows, row), said.iter_rows(named=True), strict=True):
        color = SAID if line["outcome"] == RIGHT else WRONG
        _box(axes, box, color)
        text = f"{line['named']} {line['score']:.2f} · {line['chance']:.2f}"
        axes.text(*_corner(box), text, color=color, fontsize=7, va="bottom", bbox=GROUND)


def _stored(boxes: Numbers, rows: Rows, row: int) -> Numbers:
    """Return boxes (k, 4) of the original as px of the stored square."""
    width, height = (
        np.full(len(boxes), float(rows.columns[side][row])) for side in ("width", "height")
    )
    return stored_boxes(boxes, width, height, rows.image.shape[1])


def _box(axes: Axes, box: Numbers, color: str) -> None:
    x, y, width, height = box
    low = (x - 0.5, y - 0.5)  # a picture's pixels reach from −0.5
    axes.add_patch(Rectangle(low, width, height, fill=False, color=color, linewidth=1.2))


def _corner(box: Numbers, *, below: bool = False) -> tuple[float, float]:
    return float(box[0] - 0.5), float(box[1] - 0.5 + (box[3] if below else 0))
