"""One film with the points of both readers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from assay.runs.figures import save_figure
from assay.systems.ceph.tasks import points
from assay.systems.ceph.tasks.names import SYMBOLS

if TYPE_CHECKING:
    from assay.manifest.rows import Rows


def draw_readers(row: Rows, path: Path) -> None:
    """Draw one stored film with both readers' points, a line between them, and the symbols."""
    placed, target = points.film_frame(row), points.target(row)
    senior, junior = (
        placed.stored(points.reader_points(row, name))[0] for name in ("senior", "junior")
    )
    middle = placed.stored(target)[0]
    figure = Figure(figsize=(8, 8), layout="constrained")
    axes: Axes = figure.add_subplot()
    axes.imshow(row.image[0], cmap="gray")
    for one, other in zip(senior, junior, strict=True):
        axes.plot([one[0], other[0]], [one[1], other[1]], color="yellow", linewidth=0.8)
    axes.scatter(senior[:, 0], senior[:, 1], s=14, color="lime", label="senior")
    axes.scatter(junior[:, 0], junior[:, 1], s=14, color="cyan", marker="x", label="junior")
    for symbol, (x, y) in zip(SYMBOLS, middle, strict=True):
        if x == x and y == y:  # noqa: PLR0124  nan where a reader left it out
            axes.annotate(symbol, (x, y), (3, 3), textcoords="offset points", fontsize=7, color="w")
    machine, stage = row.columns["machine"][0], row.columns["cvm"][0]
    known = "no CVM stage" if stage != stage else f"CS{int(stage) + 1}"  # noqa: PLR0124
    axes.set_title(f"{row.columns['sample_id'][0]} · {machine or 'machine unknown'} · {known}")
    axes.legend(loc="lower right")
    axes.set_axis_off()
    save_figure(figure, path)
