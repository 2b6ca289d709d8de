"""Figures of what is measured, part by part over the rest: people would rather look than read."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from assay.gates.measured import measure_quantities, part_columns

if TYPE_CHECKING:
    import polars as pl

    from assay.contract.system import System
    from assay.gates.measured import Measured

SHOWN, ACROSS = 11, 4  # parts; panels side by side
BINS = 20
DOTS = 5000  # lines of a table


def draw_parts(table: pl.DataFrame, system: System) -> dict[str, bytes]:
    """Return a PNG file a quantity, by title: its values in the tables' order, then part by part."""
    return {
        f"{each.quantity.name}, {each.quantity.unit}: each part over the rest": _drawn(each, system)
        for each in measure_quantities(table, system)
        if each.width == 1
    }


def _drawn(each: Measured, system: System) -> bytes:
    from matplotlib.figure import Figure

    parts = list(each.parts(part_columns(system, each.table)))[:SHOWN]
    down = -(-(len(parts) + 1) // ACROSS)
    figure = Figure(figsize=(2.9 * ACROSS, 2.2 * down))
    axes = figure.subplots(down, ACROSS, squeeze=False).ravel()
    start = 0
    for name, rows in each.tables():
        lines = rows[:: max(len(rows) // DOTS, 1)]
        axes[0].plot(
            start + np.arange(len(lines)), each.value[lines], ".", markersize=2, label=name
        )
        start += len(lines)
    axes[0].set_title("in the order of the tables", fontsize=8)
    edges = np.histogram_bin_edges(each.value[np.isfinite(each.value)], BINS)
    for panel, part in zip(axes[1:], parts, strict=False):
        rest, own = each.value[~part.rows], each.value[part.rows]
        panel.hist(rest, edges, density=True, color="0.8")
        panel.hist(own, edges, density=True, histtype="step", color="C3", linewidth=1.2)
        panel.set_title(f"{part.name} ({len(own)})", fontsize=8)
    for panel in axes:
        panel.tick_params(labelsize=7)
    for panel in axes[len(parts) + 1 :]:
        panel.set_axis_off()
    figure.subplots_adjust(0.04, 0.2 / (2.2 * down), 0.99, 1 - 0.25 / (2.2 * down), 0.2, 0.35)
    stream = io.BytesIO()
    # Without a date or the library's version: equal figures, equal bytes.
    figure.savefig(stream, format="png", dpi=80, metadata={"Software": None})
    return stream.getvalue()
