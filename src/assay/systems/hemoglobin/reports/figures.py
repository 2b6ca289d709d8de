"""Figures of fusion's report; all of the rows that validated, by what was not trained on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from assay.runs.figures import save_figure
from assay.systems.hemoglobin.ensemble.columns import FINALISTS, SINGLES, VERSIONS
from assay.systems.hemoglobin.reports.grid_figure import DPI, draw_grid, short_name
from assay.systems.hemoglobin.reports.steps import TITLES, title_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from assay.systems.hemoglobin.reports.result import FusionResult
    from assay.systems.hemoglobin.reports.steps import StepScores

COLOURS = {"w_demo": "C0", "wo_demo": "C1"}
GREY = "0.45"


def draw_report(result: FusionResult, steps: StepScores, folder: Path) -> dict[str, Path]:
    """Write every figure; return title → file, in the order in which they are read."""
    drawn = {
        "Each step's error, with its interval by patient": ("steps", _steps(result, steps)),
        "Out-of-fold MAE of every configuration, g/dL": ("configurations", draw_grid(result)),
        "What the ensembles say of each image pair": ("ensemble", _scatter(result)),
        "Errors patient by patient": ("patients", _patients(result)),
        "Weights of the members": ("weights", _weights(result)),
    }
    for name, figure in drawn.values():
        save_figure(figure, folder / f"{name}.png")
    return {title: folder / f"{name}.png" for title, (name, _) in drawn.items()}


def _steps(result: FusionResult, steps: StepScores) -> Figure:
    order = [*SINGLES, *FINALISTS[:4], VERSIONS[0], *FINALISTS[4:], VERSIONS[1]]
    names = [name for name in order if name in steps.scores]
    figure = Figure(figsize=(7.6, 0.8 + 0.34 * len(names)), dpi=DPI, layout="constrained")
    axes = figure.subplots()
    for row, name in enumerate(names):
        own = steps.scores[name]["mae"]
        colour = next((COLOURS[v] for v in VERSIONS if f"{name}_".startswith(f"{v}_")), GREY)
        marker = "D" if name in VERSIONS else "o"
        axes.plot([own["low"], own["high"]], [row, row], color=colour, linewidth=1.6)
        axes.plot(own["value"], row, marker, color=colour, markersize=6)
    trivial = float(np.abs(result.baseline - result.labels).mean())
    axes.axvline(trivial, color=GREY, linestyle="--", linewidth=1)
    axes.annotate(
        f"mean of the training labels {trivial:.2f}", (trivial, 1.0), xytext=(0, 3),
        xycoords=("data", "axes fraction"), textcoords="offset points", ha="center",
        fontsize=8, color=GREY,
    )  # fmt: skip
    axes.set_yticks(range(len(names)), [title_of(name) for name in names], fontsize=8)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel(f"MAE (g/dL), {result.how.confidence_level:.0%} interval by patient")
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)
    return figure


def _scatter(result: FusionResult) -> Figure:
    versions = result.versions
    figure = Figure(figsize=(4.2 * len(versions), 4.3), dpi=DPI, layout="constrained")
    said = np.stack([result.column(version) for version in versions])
    low = float(min(said.min(), result.labels.min())) - 0.3
    high = float(max(said.max(), result.labels.max())) + 0.3
    for axes, version in zip(
        figure.subplots(1, len(versions), squeeze=False)[0], versions, strict=True
    ):
        axes.plot([low, high], [low, high], color="0.6", linewidth=1)
        axes.axhline(float(result.labels.mean()), color="0.8", linewidth=1, linestyle=":")
        axes.scatter(
            result.labels, result.column(version), s=18, alpha=0.6, c=COLOURS[version], lw=0
        )
        axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
        axes.set(xlabel="measured Hb (g/dL)", ylabel="predicted Hb (g/dL)")
        axes.set_title(f"ensemble, {TITLES[version]}", fontsize=9)
    return figure


def _patients(result: FusionResult) -> Figure:
    """Return each patient's errors, by Hb: one that all versions miss stands out."""
    names, number = np.unique(result.groups, return_inverse=True)
    hb = np.array([result.labels[number == each].mean() for each in range(len(names))])
    order = np.argsort(np.argsort(hb, kind="stable"), kind="stable")
    figure = Figure(figsize=(7.6, 3.6), dpi=DPI, layout="constrained")
    axes = figure.subplots()
    axes.axhline(0, color="0.6", linewidth=1)
    for shift, version in zip(_shifts(len(result.versions)), result.versions, strict=True):
        error = result.column(version) - result.labels
        label = f"ensemble, {TITLES[version]}; bar: mean"
        axes.scatter(
            order[number] + shift, error, s=12, alpha=0.6, c=COLOURS[version], lw=0, label=label
        )
        means = [error[number == each].mean() for each in range(len(names))]
        axes.scatter(order + shift, means, s=50, c=COLOURS[version], marker="_")
    ticks = [f"{name}\n{value:.1f}" for name, value in zip(names, hb, strict=True)]
    axes.set_xticks(order, ticks, fontsize=6.5)
    axes.set(xlabel="patient, by measured Hb (g/dL)", ylabel="predicted − measured (g/dL)")
    axes.legend(frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return figure


def _weights(result: FusionResult) -> Figure:
    bars = [
        (version, member, weight)
        for version, mix in result.mix.items()
        for member, weight in mix.items()
    ]
    figure = Figure(figsize=(7.6, 0.8 + 0.34 * len(bars)), dpi=DPI, layout="constrained")
    axes = figure.subplots()
    for row, (version, _, weight) in enumerate(bars):
        axes.barh(row, weight, color=COLOURS[version], height=0.65)
        axes.annotate(
            f"{weight:.2f}",
            (weight, row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.set_yticks(range(len(bars)), [_named(member) for _, member, _ in bars], fontsize=8)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1.08), xlabel="weight")
    return figure


def _named(member: str) -> str:
    """Return a member in the words of a tick: a configuration's backbones without timm's tags."""
    parts = member.split("-")
    if len(parts) < 4:
        return member
    phase, nail, conjunctiva, *rest = parts
    return " · ".join([phase, f"{short_name(nail)} + {short_name(conjunctiva)}", "-".join(rest)])


def _shifts(count: int) -> Sequence[float]:
    return [0.0] if count == 1 else [-0.15, 0.15]
