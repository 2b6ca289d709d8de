"""A picture of the agreement: what a model says of rows it did not learn from, beside their labels."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from assay.gates.agreement import Agreement

TITLE = "agreement of pictures and labels: of what fits least, else best"
COLOURS = 10  # parts that are told apart


def agreement_figure(agreement: Agreement) -> dict[str, bytes]:
    """Return a figure (PNG) by its title; none where nothing was predicted."""
    if agreement.said is None or agreement.told is None:
        return {}
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 4.4), layout="constrained")
    axes = figure.subplots()
    names = np.array([str(name) for name in agreement.part])
    for number, name in enumerate(sorted(set(names))[:COLOURS]):
        here = names == name
        axes.scatter(
            agreement.told[here], agreement.said[here], 7, f"C{number}", alpha=0.6, label=name, lw=0
        )
    ends = [float(agreement.told.min()), float(agreement.told.max())]
    axes.plot(ends, ends, color="0.6", lw=0.8, zorder=0)
    axes.set_xlabel("labelled")
    axes.set_ylabel("predicted, by a model that did not see the subject")
    axes.legend(frameon=False, fontsize=8, markerscale=2)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110, metadata={"Software": None})
    return {TITLE: stream.getvalue()}
