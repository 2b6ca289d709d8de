"""Pictures of predicted spectra: best, median and worst; the error of each bin; and the data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from assay.runs.figures import save_figure, save_table
from assay.systems.spectra.learning.scores import bin_errors, channels
from assay.systems.spectra.tasks.drawing import draw_structure
from assay.systems.spectra.tasks.names import CELLS, COLOURS, as_cells

if TYPE_CHECKING:
    from assay.manifest.rows import Rows

Floats = npt.NDArray[np.float32]
RGB = {"R": "tab:red", "G": "tab:green", "B": "tab:blue"}
EXAMPLES = 8
FEW = 2_000  # structures at most whose filling is counted: the picture needs no more


def draw(predictions: Floats, labels: Floats, rows: Rows, folder: Path) -> None:
    """Write `spectra.png`, `bins.png` with its table `bins.csv`, and `data.png`."""
    said, true = as_cells(predictions), as_cells(labels)
    _spectra(said, true, rows, folder / "spectra.png")
    _bins(said, true, folder)
    _data(true, rows, folder / "data.png")


def _spectra(said: Floats, true: Floats, rows: Rows, path: Path) -> None:
    """Draw three rows: the structure, then truth and prediction of each cell."""
    error = np.square(said - true).mean(axis=(1, 2, 3))
    order = np.argsort(error, kind="stable")
    chosen = {"best": order[0], "median": order[len(order) // 2], "worst": order[-1]}
    figure = Figure(figsize=(14, 7), layout="constrained")
    top = 1.05 * max(float(part[list(chosen.values())].max()) for part in (said, true))
    for (name, row), line in zip(chosen.items(), figure.subplots(3, 5), strict=True):
        draw_structure(line[0], rows.image[int(row)])
        sample = rows.columns["sample_id"][row]
        line[0].set_title(f"{name}: {sample}\nRMSE {np.sqrt(error[row]):.4f}", fontsize=9)
        for place, (cell, colour) in enumerate(zip(CELLS, COLOURS, strict=True)):
            axes: Axes = line[1 + place]
            axes.plot(true[row].reshape(4, -1)[place], color=colour, label="truth")
            axes.plot(said[row].reshape(4, -1)[place], "--", color="black", label="prediction")
            axes.set(ylim=(0, top), title=cell)
    figure.axes[1].legend(fontsize=7)
    save_figure(figure, path)


def _bins(said: Floats, true: Floats, folder: Path) -> None:
    """Draw the root mean squared error of each bin beside the spread of the spectra; list both."""
    errors, spread = bin_errors(said, true), channels(true).std(axis=0)
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes: Axes = figure.add_subplot()
    for (name, colour), error, wide in zip(RGB.items(), errors, spread, strict=True):
        axes.plot(error, color=colour, label=f"{name}: error")
        axes.plot(wide, ":", color=colour, label=f"{name}: spread of the spectra")
    axes.set(xlabel="bin", ylabel="RMSE, share of the power", ylim=(0, None))
    axes.legend(fontsize=7, ncols=3)
    save_figure(figure, folder / "bins.png")
    lines = ["bin," + ",".join(f"rmse_{name.lower()},spread_{name.lower()}" for name in RGB)]
    for number in range(errors.shape[1]):
        pairs = zip(errors[:, number], spread[:, number], strict=True)
        lines.append(",".join([str(number), *(f"{a:.6f},{b:.6f}" for a, b in pairs)]))
    save_table(folder, "bins.csv", "\n".join(lines) + "\n")


def _data(true: Floats, rows: Rows, path: Path) -> None:
    """Draw example structures, each channel's mean, deviation and range, and two distributions."""
    figure = Figure(figsize=(14, 6), layout="constrained")
    parts = figure.subfigures(2, 1, squeeze=False, height_ratios=(1, 1.6))
    upper, lower = parts[0, 0], parts[1, 0]
    examples = np.unique(np.linspace(0, len(rows) - 1, EXAMPLES).astype(int))
    for row, axes in zip(examples, upper.subplots(1, len(examples), squeeze=False)[0], strict=True):
        draw_structure(axes, rows.image[int(row)])
        axes.set_title(str(rows.columns["sample_id"][row]), fontsize=8)
    three, sums, filled = lower.subplots(1, 3)
    _channels(three, channels(true))
    sums.hist(true.sum(axis=(1, 2)).max(axis=-1), bins=30, color="0.5")
    sums.set(xlabel="largest R + G1 + G2 + B of a bin; at most 1", ylabel="structures")
    some = np.unique(np.linspace(0, len(rows) - 1, FEW).astype(int))
    filled.hist(np.asarray(rows.image[some]).mean(axis=(1, 2, 3)), bins=30, color="0.5")
    filled.set(xlabel="share that is material", ylabel="structures")
    save_figure(figure, path)


def _channels(axes: Axes, three: npt.NDArray[Any]) -> None:
    """Draw the mean of each channel, its deviation, and between which values it ever lies."""
    place = np.arange(three.shape[-1])
    for number, (name, colour) in enumerate(RGB.items()):
        own = three[:, number]
        mean, deviation = own.mean(axis=0), own.std(axis=0)
        axes.plot(place, mean, color=colour, label=f"{name}: {own.min():.3f} to {own.max():.3f}")
        axes.fill_between(place, mean - deviation, mean + deviation, color=colour, alpha=0.2)
        axes.plot(place, own.min(axis=0), ":", color=colour, linewidth=0.8)
        axes.plot(place, own.max(axis=0), ":", color=colour, linewidth=0.8)
    axes.set(xlabel="bin", ylabel="share of the power", title=f"{len(three)} validation spectra")
    axes.legend(fontsize=7)
