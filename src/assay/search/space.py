"""A declared study in Optuna's words: what a trial suggests, which sampler, which pruner."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from assay.sections.study import Range

if TYPE_CHECKING:
    import optuna

    from assay.sections.study import Study


def suggest(study: Study, trial: optuna.Trial) -> None:
    """Let the trial suggest a value for every key of the space."""
    for key, values in study.space.items():
        if not isinstance(values, Range):
            trial.suggest_categorical(key, _choices(values))
        elif isinstance(values.low, int) and isinstance(values.high, int):
            trial.suggest_int(key, values.low, values.high, log=values.log)
        else:
            trial.suggest_float(key, values.low, values.high, log=values.log)


def declared_values(study: Study, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return a trial's parameters as `params.yaml` would have them, in the space's order."""
    known = [key for key in study.space if key in params]  # a trial can be killed between two
    return {key: _declared(study.space[key], params[key]) for key in known}


def make_sampler(study: Study, seed: int) -> optuna.samplers.BaseSampler:
    """Return what the study names; a grid's order is of the study's own seed, alike in all workers."""
    from optuna import samplers

    if study.sampler == "grid":
        return samplers.GridSampler(grid(study), seed=study.seed)
    if study.sampler == "tpe":
        return samplers.TPESampler(seed=seed)
    return samplers.RandomSampler(seed=seed)


def make_pruner(study: Study) -> optuna.pruners.BasePruner:
    """Return what the study names."""
    from optuna import pruners

    how = study.pruner
    if how == "none":
        return pruners.NopPruner()
    if how.kind == "median":
        return pruners.MedianPruner(how.startup, how.epochs - 1)
    return pruners.SuccessiveHalvingPruner(
        min_resource=how.epochs, reduction_factor=3, bootstrap_count=how.startup
    )


def grid(study: Study) -> dict[str, list[Any]]:
    """Return the choices of every key."""
    return {
        key: _choices(values)
        for key, values in study.space.items()
        if not isinstance(values, Range)
    }


def _choices(values: list[Any]) -> list[Any]:
    return [_plain(value) for value in values]


def _plain(choice: Any) -> Any:
    """Return a choice as storages hold it: a list as JSON."""
    return json.dumps(choice) if isinstance(choice, list) else choice


def _declared(values: list[Any] | Range, value: Any) -> Any:
    choices = [] if isinstance(values, Range) else values
    lists = [each for each in choices if isinstance(each, list) and _plain(each) == value]
    return lists[0] if lists else value
