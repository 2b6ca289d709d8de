"""The heat map of the grid: the out-of-fold error of every configuration, on one scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from assay.systems.hemoglobin.ensemble.column_scores import column_scores
from assay.systems.hemoglobin.reports.steps import MAE, TITLES

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

    from assay.systems.hemoglobin.reports.result import FusionResult

DPI = 110
PANEL = 2.6  # inches: the least width of one


def draw_grid(result: FusionResult) -> Figure:
    """Return a heat map a version and phase: nail down, conjunctiva across; finalists are framed."""
    tables = _tables(result)
    nails, conjunctivas = _sides(result)
    down, across = (len(set(some)) for some in zip(*tables, strict=True))
    width = 1.9 + across * max(PANEL, 0.62 * len(conjunctivas))
    height = max(3.4, 0.9 + down * (1.0 + 0.42 * len(nails)))
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    panels = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
    every = np.stack(list(tables.values()))
    for axes, ((version, phase), table) in zip(panels.ravel(), tables.items(), strict=True):
        image = axes.imshow(
            table, "viridis_r", aspect="auto", vmin=np.nanmin(every), vmax=np.nanmax(every)
        )
        _numbers(axes, image, table)
        axes.set_title(f"phase {phase}, {TITLES[version]}", fontsize=9)
        names = [short_name(name) for name in conjunctivas]
        axes.set_xticks(range(len(names)), names, rotation=40, ha="right", fontsize=7)
        axes.set_yticks(range(len(nails)), [short_name(name) for name in nails], fontsize=7)
    for one in result.configurations:
        if one.name in set(result.finalists.values()):
            panel = panels.ravel()[list(tables).index((one.version, one.phase))]
            _frame(panel, nails.index(one.nail), conjunctivas.index(one.conjunctiva))
    figure.supxlabel("conjunctiva", fontsize=9)
    figure.supylabel("nail", fontsize=9)
    figure.colorbar(image, ax=panels, label="MAE (g/dL); framed: finalists")
    return figure


def short_name(backbone: str) -> str:
    """Return timm's name of a backbone without the tag of its weights."""
    return backbone.partition(".")[0]


def _sides(result: FusionResult) -> tuple[list[str], list[str]]:
    """Return the backbones of the nail and of the conjunctiva, in the order of the grid."""
    nails = dict.fromkeys(each.nail for each in result.configurations)
    return list(nails), list(dict.fromkeys(each.conjunctiva for each in result.configurations))


def _tables(result: FusionResult) -> dict[tuple[str, int], npt.NDArray[np.float64]]:
    """Return version and phase → MAE (nails, conjunctivas); nan where there is no configuration."""
    nails, conjunctivas = _sides(result)
    errors = column_scores(result.trainings.T, result.labels)["mae"]
    tables: dict[tuple[str, int], npt.NDArray[np.float64]] = {}
    for one, error in zip(result.configurations, errors, strict=True):
        empty = np.full((len(nails), len(conjunctivas)), np.nan)
        table = tables.setdefault((one.version, one.phase), empty)
        table[nails.index(one.nail), conjunctivas.index(one.conjunctiva)] = error
    return dict(sorted(tables.items()))  # a row of panels is a version


def _numbers(axes: Axes, image: AxesImage, table: npt.NDArray[np.float64]) -> None:
    """Write each number, in the ink that its colour lets one read."""
    inks = image.to_rgba(table)[..., :3] @ np.array([0.3, 0.6, 0.1])
    for (row, column), value in np.ndenumerate(table):
        if np.isfinite(value):
            ink = "black" if inks[row, column] > 0.5 else "white"
            text = f"{value:.{MAE.digits}f}"
            axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=8)


def _frame(axes: Axes, row: int, column: int) -> None:
    across = column + 0.46 * np.array([-1, 1, 1, -1, -1])
    axes.plot(across, row + 0.46 * np.array([-1, -1, 1, 1, -1]), "C3", linewidth=2)
