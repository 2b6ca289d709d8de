"""Pictures of a study, by Optuna: history, front, importance, slices; as PNG files."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.runs.figures import save_figure

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from assay.search.outcome import Outcome
    from assay.search.storage import Store

FEWEST = 4  # complete trials, for a statement about importance
Named = tuple[str, Callable[[], Any]]  # file name, and what draws it


def draw(store: Store, found: Outcome, folder: Path) -> list[Path]:
    """Draw what there is enough for into `folder`; return the files, first to be looked at first."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    paths = []
    for name, plot in _pictures(store, found):
        with warnings.catch_warnings(), plt.rc_context():
            warnings.simplefilter("ignore")
            axes = plot()
            figure = plt.gcf() if axes is None else _figure(axes)
            _tidy(figure, name, len(store.plan.study.space))
            path = folder / f"{name}.png"
            figure.set_dpi(110)
            save_figure(figure, path)
            paths.append(path)
        plt.close("all")
    return paths


def _pictures(store: Store, found: Outcome) -> Iterator[Named]:
    from optuna.visualization import matplotlib as plots

    study, complete, names = store.study, found.ended("complete"), found.objectives
    if not complete:
        return
    varied = [
        key for key in found.plan.study.space if len({repr(t.params[key]) for t in complete}) > 1
    ]
    if len(names) > 1 and len(complete) > 1:
        yield "front", partial(plots.plot_pareto_front, study, target_names=names)
    for index, name in enumerate(names):
        target: dict[str, Any] = {"target_name": name}
        if len(names) > 1:
            target["target"] = _value(index)
        yield f"history-{name}", partial(plots.plot_optimization_history, study, **target)
        if len(complete) >= FEWEST and len(varied) > 1:
            importances = partial(plots.plot_param_importances, study, params=varied, **target)
            yield f"importance-{name}", importances
        if len(complete) > 1:
            yield f"slice-{name}", partial(plots.plot_slice, study, **target)
    if len(names) == 1:
        yield "curves", partial(_curves, found)


def _curves(found: Outcome) -> Any:
    """Draw every trial's objective over its epochs: where the pruned ones ended."""
    from matplotlib import pyplot as plt

    name = found.objectives[0]
    axes = plt.figure().add_subplot()
    colours = {"complete": "tab:blue", "pruned": "tab:orange", "failed": "tab:red"}
    best = found.front[0].number if found.front else -1
    for trial in found.tried:
        epochs, values = [row["epoch"] for row in trial.curve], [row[name] for row in trial.curve]
        own: dict[str, Any] = {"color": colours[trial.state], "alpha": 0.45, "lw": 1.0}
        if trial.number == best:
            own = {"color": "black", "alpha": 1.0, "lw": 2.0}
        axes.plot(epochs, values, **own)
        axes.plot(epochs[-1:], values[-1:], marker="o", ms=3, **own)
    for state, colour in colours.items():
        if found.ended(state):
            axes.plot([], [], color=colour, label=f"{state} ({len(found.ended(state))})")
    axes.plot([], [], color="black", lw=2, label="best")
    axes.set(xlabel="epoch", ylabel=name, title="Validation, epoch by epoch")
    axes.legend()
    return axes


def _value(index: int) -> Callable[[FrozenTrial], float]:
    return lambda trial: float(trial.values[index])


def _figure(axes: Any) -> Any:
    return (axes if hasattr(axes, "figure") else axes.flat[0]).figure


def _tidy(figure: Any, name: str, keys: int) -> None:
    """Give each picture its room (a slice has one field a parameter), and the others' plain ground."""
    wide = max(7.5, 2.4 * keys) if name.startswith("slice") else 7.5
    figure.set_size_inches(wide, 4.2)
    # The bar beside a lone slice stands in a grid with an empty row, by which "constrained" divides.
    figure.set_layout_engine("tight" if name.startswith("slice") and keys == 1 else "constrained")
    for axes in figure.axes:
        if not hasattr(axes, "_colorbar"):
            axes.set_facecolor("white")
            axes.grid(color="#dde2e6", lw=0.6)
            axes.set_axisbelow(True)
