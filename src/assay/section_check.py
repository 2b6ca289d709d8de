"""What a stage checks of `params.yaml` before it works: its own section, and that of its data.

The others' are not its concern: another system's broken code or parameter stops that system's stages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from assay.errors import AssayError, ParamsError
from assay.lookup import find_scored, find_system, find_task, places_in, system_of
from assay.params import faults_of
from assay.sections.machine import RUNTIME, Machine, Runtime
from assay.value_faults import PARAMS_FILE
from assay.values import MACHINE, typed

if TYPE_CHECKING:
    from assay.contract.task import Task
    from assay.sections.section import Section


def check_own(content: Mapping[str, Any], name: str) -> None:
    """Check what `params.yaml` holds for a data set, a task or a pipeline, and no other system.

    Raises:
        ParamsError: with every fault, not the first.
        AssayError: there is no such thing, or its system's code cannot be imported.
    """
    is_task = name in places_in(system_of(name), "tasks", "TASKS")
    task = find_task(name) if is_task else None
    faults = faults_of(content, _models(name, task))
    if task and not faults:
        faults = disagreements(content, task)
    if faults:
        raise ParamsError(faults)


def disagreements(content: Mapping[str, Any], task: Task) -> list[AssayError]:
    """Return why a task's section does not go with its data's: one fault, or none."""
    data = find_system(task.data)
    own, its = typed(content, task.name, task.params), typed(content, data.name, data.params)
    fold, folds = own.train.fold, its.split.folds
    reason = ""
    if not isinstance(fold, str) and fold >= folds:
        reason = f"train.fold {fold}, but {data.name}.split.folds is {folds}"
    reason = reason or task.validate_params(own, its)
    where = f"{PARAMS_FILE} · {task.name}"
    return [AssayError(where, reason, "values that agree")] if reason else []


def _models(name: str, task: Task | None) -> dict[str, type[Section]]:
    """Return the models of the sections that count for `name`."""
    if task:
        own = {name: task.params, task.data: find_system(task.data).params}
        return {MACHINE: Machine, RUNTIME: Runtime, **own}
    if "-" not in name:
        return {name: find_system(name).params}
    return {name: find_scored(name).params}
