"""Pictures of a study, by Optuna: history, front, importance, slices; as PNG files."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.runs.figures import save_figure

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

    from assay.search.results import StudyResults

LEGEND = 12  # curves that a legend can tell apart
FEWEST = 4  # complete trials, for a statement about importance
Named = tuple[str, Callable[[], Any]]  # file name, and what draws it


def draw(study: optuna.Study, results: StudyResults, folder: Path) -> list[Path]:
    """Draw what there is enough for into `folder`; return the files, first to be looked at first."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    paths = []
    for name, plot in _pictures(study, results):
        with warnings.catch_warnings(), plt.rc_context():
            warnings.simplefilter("ignore")
            plot()
            figure = plt.gcf()
            # A slice has one field a parameter.
            keys = len(results.plan.study.space) if name.startswith("slice") else 0
            figure.set_size_inches(max(7.5, 2.4 * keys), 4.2)
            figure.set_dpi(110)
            # The bar of a lone slice stands in a grid with an empty row, by which "constrained" divides.
            figure.set_layout_engine("tight" if keys == 1 else "constrained")
            paths.append(folder / f"{name}.png")
            save_figure(figure, paths[-1])
        plt.close("all")
    return paths


def _pictures(study: optuna.Study, results: StudyResults) -> Iterator[Named]:
    from optuna.visualization import matplotlib as plots

    complete, names = len(results.ended("complete")), results.objectives
    if not complete:
        return
    if len(names) > 1 and complete > 1:
        yield "front", partial(plots.plot_pareto_front, study, target_names=names)
    for index, name in enumerate(names):
        target: dict[str, Any] = {"target_name": name}
        if len(names) > 1:
            target["target"] = _value(index)
        yield f"history-{name}", partial(plots.plot_optimization_history, study, **target)
        if complete >= FEWEST and len(results.plan.study.space) > 1:
            yield f"importance-{name}", partial(plots.plot_param_importances, study, **target)
        if complete > 1:
            yield f"slice-{name}", partial(plots.plot_slice, study, **target)
    if len(names) == 1:
        yield "curves", partial(_curves, study, names[0])


def _curves(study: optuna.Study, name: str) -> None:
    """Draw every trial's objective over its epochs, named as what they are."""
    from matplotlib.ticker import MaxNLocator
    from optuna.visualization import matplotlib as plots

    axes = plots.plot_intermediate_values(study)
    axes.set(xlabel="epoch", ylabel=name, title="Validation, epoch by epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend = axes.get_legend()
    if legend is not None and len(axes.lines) > LEGEND:
        legend.remove()


def _value(index: int) -> Callable[[FrozenTrial], float]:
    return lambda trial: float(trial.values[index])
