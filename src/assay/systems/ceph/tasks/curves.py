"""Pictures of landmark errors by X-ray machine and by distance, the readers' own beside them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from assay.learning.vision.scores import WITHIN_MM, WITHIN_PX, radial_errors
from assay.runs.figures import save_figure
from assay.systems.ceph.tasks import points

if TYPE_CHECKING:
    from assay.manifest.rows import Rows

Numbers = npt.NDArray[Any]
FARTHEST = 1.5  # of the largest bound of the detection rate: where the curve ends
STEPS = 200
OWN, HUMAN = "prediction to the target", "between the readers"


def draw(errors: Numbers, rows: Rows, folder: Path) -> None:
    """Write `machines.png` and `detection.png`; in mm where every film has a pixel size, else in px.

    Args:
        errors: (n, 29) px of the original film; nan where absent.
        rows: the films.
        folder: where to.
    """
    between = radial_errors(
        points.reader_points(rows, "senior"), points.reader_points(rows, "junior")
    )
    spacing = points.spacing(rows)[:, None]
    unit, bounds = "px of the film", WITHIN_PX
    if not np.isnan(spacing).any():
        errors, between, unit, bounds = errors * spacing, between * spacing, "mm", WITHIN_MM
    by_machine(rows, errors, between, unit, folder / "machines.png")
    detection(errors, between, unit, bounds, folder / "detection.png")


def machine_means(rows: Rows, errors: Numbers) -> dict[str, tuple[int, float]]:
    """Return machine → number of films, mean error; films of no known machine under `unknown`."""
    names = points.machine(rows)
    found = {}
    for name in np.unique(names):
        own = errors[names == name]
        counted = own[~np.isnan(own)]
        mean = float(counted.mean()) if counted.size else float("nan")
        found[str(name)] = (len(own), mean)
    return found


def detection_rates(errors: Numbers, bounds: Numbers) -> Numbers:
    """Return the share of points within each bound, the bound included; nan where there is none."""
    counted = np.sort(errors[~np.isnan(errors)])
    if not counted.size:
        return np.full(len(bounds), np.nan)
    within: Numbers = np.searchsorted(counted, bounds, side="right") / counted.size
    return within


def by_machine(rows: Rows, errors: Numbers, between: Numbers, unit: str, path: Path) -> None:
    """Draw the mean error of each machine's films beside the distance between the readers."""
    own, human = machine_means(rows, errors), machine_means(rows, between)
    figure = Figure(figsize=(max(4.0, 1.2 * len(own) + 2), 3.6), layout="constrained")
    axes: Axes = figure.add_subplot()
    place = np.arange(len(own))
    for shift, colour, label, means in ((-0.2, "C0", OWN, own), (0.2, "0.6", HUMAN, human)):
        heights = np.nan_to_num([mean for _, mean in means.values()])
        axes.bar(place + shift, heights, 0.4, color=colour, label=label)
    names = [f"{name}\n{count} films" for name, (count, _) in own.items()]
    axes.set_xticks(place, names, fontsize=7)
    axes.set(ylabel=f"mean error, {unit}")
    axes.legend(fontsize=8, loc="lower right")
    save_figure(figure, path)


def detection(
    errors: Numbers, between: Numbers, unit: str, bounds: tuple[float, ...], path: Path
) -> None:
    """Draw the share of points within a distance, with the bounds that are reported as figures."""
    distance = np.linspace(0, FARTHEST * max(bounds), STEPS)
    figure = Figure(figsize=(5, 3.6), layout="constrained")
    axes: Axes = figure.add_subplot()
    axes.plot(distance, detection_rates(errors, distance), label=OWN)
    axes.plot(distance, detection_rates(between, distance), color="0.6", label=HUMAN)
    for bound in bounds:
        axes.axvline(bound, color="0.85", linewidth=0.8, zorder=0)
    axes.set(xlabel=f"within, {unit}", ylabel="share of points", ylim=(0, 1.02), xlim=(0, None))
    axes.legend(fontsize=8, loc="lower right")
    save_figure(figure, path)
