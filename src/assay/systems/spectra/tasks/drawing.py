"""A structure, and the spectra of its four cells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from assay.runs.figures import save_figure
from assay.systems.spectra.tasks.names import CELLS, COLOURS, as_cells

if TYPE_CHECKING:
    from assay.manifest.rows import Rows

    Floats = npt.NDArray[np.float32]


def draw_structure(axes: Axes, structure: npt.NDArray[Any]) -> None:
    """Draw a structure (h, w, 1), material black, and the borders of the four cells."""
    side = structure.shape[0]
    axes.imshow(structure[..., 0], cmap="gray_r", vmin=0, vmax=1)
    axes.axhline(side / 2 - 0.5, color="tab:orange", linewidth=0.8)
    axes.axvline(side / 2 - 0.5, color="tab:orange", linewidth=0.8)
    axes.set_axis_off()


def draw_sample(row: Rows, labels: Floats, path: Path) -> None:
    """Draw the only row: its structure, and its four spectra (1, 4 · bins)."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    draw_structure(left, row.image[0])
    left.set_title(str(row.columns["sample_id"][0]))
    for name, colour, line in zip(CELLS, COLOURS, as_cells(labels)[0].reshape(4, -1), strict=True):
        right.plot(line, color=colour, label=name)
    right.set(xlabel="bin", ylabel="share of the power that falls in", ylim=(0, None))
    right.legend()
    save_figure(figure, path)
