"""Pictures of landmark predictions: overlays of the best, median and worst film, and mean errors.

Points are drawn on the stored image through the very geometry that training and scores use.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from assay.learning.vision.scores import landmark_means, radial_errors
from assay.runs.figures import save_figure, save_table
from assay.systems.ceph.tasks import calibration, curves, points
from assay.systems.ceph.tasks.names import SYMBOLS

if TYPE_CHECKING:
    from assay.manifest.rows import Rows

Numbers = npt.NDArray[Any]


def draw(predictions: npt.NDArray[np.float32], rows: Rows, folder: Path) -> None:
    """Write `overlays.png`, `landmarks.png`, and those of `curves`; errors in px of the film.

    The table behind `landmarks.png` stands beside it; `calibration.png` where the network says doubts.
    """
    target, found = points.target(rows), points.said(predictions)
    errors = radial_errors(found.points, target)
    _overlays(rows, found.points, target, errors, folder / "overlays.png")
    _by_landmark(rows, errors, folder)
    curves.draw(errors, rows, folder)
    if found.doubt is not None:
        calibration.draw(found.doubt, errors, folder / "calibration.png")


def _overlays(rows: Rows, said: Numbers, target: Numbers, errors: Numbers, path: Path) -> None:
    """Draw three films; a line joins each prediction with its target.

    A landmark that no film has was never learned: what is said of it is left out.
    """
    seen = ~np.isnan(errors)
    known = seen.any(axis=0)
    mean = np.where(seen, errors, 0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    order = np.argsort(mean, kind="stable")
    chosen = {"best": order[0], "median": order[len(order) // 2], "worst": order[-1]}
    placed = points.film_frame(rows)
    stored, true = placed.stored(said), placed.stored(target)
    figure = Figure(figsize=(12, 4.4), layout="constrained")
    for (name, row), axes in zip(chosen.items(), figure.subplots(1, 3), strict=True):
        axes.imshow(rows.image[row], cmap="gray")
        for one, other in zip(stored[row], true[row], strict=True):
            axes.plot([one[0], other[0]], [one[1], other[1]], color="yellow", linewidth=0.8)
        axes.scatter(*true[row].T, s=9, color="lime", label="target")
        axes.scatter(*stored[row, known].T, s=9, color="red", marker="x", label="predicted")
        axes.set_title(f"{name}: {rows.columns['sample_id'][row]}, {mean[row]:.1f} px", fontsize=9)
        axes.set_axis_off()
    figure.axes[0].legend(fontsize=7, loc="lower right")
    save_figure(figure, path)


def landmark_table(errors: Numbers, between: Numbers, spacing: Numbers) -> str:
    """Return a CSV: landmark, its points, mean error and distance of the readers in px and mm.

    A figure that nothing is known of is empty; mm are of the films whose pixel size is known.

    Args:
        errors: (n, 29) px of the film; nan where absent.
        between: the same, of one reader to the other.
        spacing: (n,) mm per px; nan where not known.
    """
    columns = [landmark_means(each * scale[:, None]) for each in (errors, between)
               for scale in (np.ones(len(spacing)), spacing)]  # fmt: skip
    lines = ["landmark,n,mre_px,mre_mm,readers_px,readers_mm"]
    for place, symbol in enumerate(SYMBOLS):
        count = int(np.isfinite(errors[:, place]).sum())
        figures = [f"{own[place]:.4f}" if np.isfinite(own[place]) else "" for own in columns]
        lines.append(",".join([symbol, str(count), *figures]))
    return "\n".join(lines) + "\n"


def _by_landmark(rows: Rows, errors: Numbers, folder: Path) -> None:
    """Draw the mean error of each landmark beside the distance between the readers, and list them."""
    between = radial_errors(
        points.reader_points(rows, "senior"), points.reader_points(rows, "junior")
    )
    own, human = landmark_means(errors), landmark_means(between)
    save_table(folder, "landmarks.csv", landmark_table(errors, between, points.spacing(rows)))
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    axes: Axes = figure.add_subplot()
    place = np.arange(len(SYMBOLS))
    axes.bar(place - 0.2, np.nan_to_num(own), 0.4, label="prediction to the target")
    axes.bar(place + 0.2, np.nan_to_num(human), 0.4, color="0.6", label="between the readers")
    axes.set_xticks(place, SYMBOLS, fontsize=7)
    axes.set(ylabel="mean error, px of the film")
    axes.legend(fontsize=8)
    save_figure(figure, folder / "landmarks.png")
