"""One trial: the task's own training with other values, told to the study epoch by epoch.

Only training and validation rows are at hand; the sealed test set is out of reach, as it is in a stage.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.code.declared import Declared
from assay.contract.task_rows import task_rows
from assay.errors import AssayError
from assay.lookup import find_task
from assay.manifest.parts import read_trainval, validation_fold
from assay.params import read_params
from assay.runs.files import content_digest, read_json
from assay.runs.journal import Journal
from assay.runs.record import RECORD
from assay.runs.run import Run
from assay.sections.machine import RUNTIME, Runtime
from assay.value_faults import PARAMS_FILE
from assay.values import typed

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

    from assay.contract.task import Task
    from assay.manifest.rows import Rows
    from assay.search.storage import Store

CURVE, CHOSEN, REASON, REPEATS = (
    "curve",
    "chosen",
    "reason",
    "repeats",
)  # what a trial says of itself
Row = Mapping[str, float]


class ObjectiveError(AssayError):
    """The study asks for a metric that the training does not give: every trial would fail."""


@dataclass(frozen=True)
class Material:
    """What every trial of a study is made of, read once a worker; cut by each trial's own parameters."""

    task: Task
    rows: Rows
    facts: Mapping[str, Any]
    root: Path
    code: Declared

    @classmethod
    def read(cls, task: str, root: Path) -> Material:
        """Read the training part of the task's data; the working folder is `root`."""
        found = find_task(task)
        rows, facts = read_trainval(found.data)
        return cls(found, rows, facts, root, Declared.read(f"train@{task}"))


@dataclass
class Watcher:
    """Reports a training's epochs, and ends it when the pruner says so.

    A training that goes on after a kill tells the epochs before it too.
    """

    trial: optuna.Trial
    objectives: Sequence[str]
    rows: list[Row] = field(default_factory=list)

    def __call__(self, rows: Sequence[Row]) -> None:
        """Take every epoch so far."""
        import optuna

        absent = [name for name in self.objectives if name not in rows[-1]]
        if absent:
            raise ObjectiveError(
                f"objective {', '.join(absent)}",
                "no such metric of an epoch",
                f"one of {', '.join(rows[-1])}",
                "edit the study in params.yaml",
            )
        for row in rows[len(self.rows) :]:
            self.rows.append(dict(row))
            if len(self.objectives) == 1:
                self.trial.report(row[self.objectives[0]], int(row["epoch"]))
        if len(self.objectives) == 1 and self.trial.should_prune():
            raise optuna.TrialPruned


def run_trial(store: Store, trial: optuna.Trial, made_of: Material) -> FrozenTrial | None:
    """Train one trial, and tell the study how it ended.

    Returns:
        What the study was told, or None where it counts the trial as killed: this process gave no sign of
        life for too long (a machine asleep, a database away), and another repeats it.

    Raises:
        ObjectiveError: the study's objectives are no metrics; the trial is told as failed.
    """
    import optuna

    try:
        return _tried(store, trial, made_of)
    except optuna.exceptions.UpdateFinishedTrialError:
        print(f"trial {trial.number} counts as killed: no sign of life for too long", flush=True)
        return None


def _tried(store: Store, trial: optuna.Trial, made_of: Material) -> FrozenTrial:
    import optuna

    same = _same_values(store, trial)
    if same is not None:  # equal values give equal numbers
        for name, value in {CURVE: same.user_attrs[CURVE], CHOSEN: same.user_attrs[CHOSEN]}.items():
            trial.set_user_attr(name, value)
        trial.set_user_attr(REPEATS, same.number)
        return store.study.tell(trial, same.values)
    watcher = Watcher(trial, list(store.plan.study.objectives))
    folder = store.folder / "trials" / content_digest(trial.params)
    try:
        with store.beating(trial):
            chosen = _train(store, trial, made_of, folder, watcher)
    except optuna.TrialPruned:
        trial.set_user_attr(CURVE, watcher.rows)
        told = store.study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    except optuna.exceptions.UpdateFinishedTrialError:
        raise
    except Exception as fault:
        told = _failed(store, trial, watcher, fault)
        if isinstance(fault, ObjectiveError):
            raise
    else:
        told = _finished(store, trial, watcher, chosen)
    shutil.rmtree(folder, ignore_errors=True)
    return told


def _train(
    store: Store, trial: optuna.Trial, made_of: Material, folder: Path, watcher: Watcher
) -> dict[str, float]:
    """Do what the stage `train` does; return the chosen epoch's row."""
    plan, task = store.plan, made_of.task
    declared = {task.name: plan.tried(trial.params)}
    params = typed(declared, task.name, task.params)
    own = task_rows(task, made_of.rows, params)
    train, valid = validation_fold(own, params.train.fold)
    run = Run(
        task.name, made_of.root, folder / "model", folder / "reports", folder / "resume",
        Journal(folder / "journal.jsonl"),
        {"key": plan.digest, "params": declared, "data": made_of.facts, "inputs": dict(plan.inputs)},
        watcher, typed(read_params(made_of.root / PARAMS_FILE), RUNTIME, Runtime),
    )  # fmt: skip
    run.folder.mkdir(parents=True, exist_ok=True)
    task.fit(train, valid, params, run)
    made_of.code.ensure_same()
    chosen: dict[str, float] = read_json(run.folder / RECORD)["chosen"]
    return chosen


def _finished(
    store: Store, trial: optuna.Trial, watcher: Watcher, chosen: dict[str, float]
) -> FrozenTrial:
    values = [chosen[name] for name in watcher.objectives]
    if not all(math.isfinite(value) for value in values):
        shown = ", ".join(f"{name} {chosen[name]}" for name in watcher.objectives)
        return _failed(store, trial, watcher, AssayError("objectives", shown, "numbers"))
    trial.set_user_attr(CURVE, watcher.rows)
    trial.set_user_attr(CHOSEN, chosen)
    return store.study.tell(trial, values)


def _failed(store: Store, trial: optuna.Trial, watcher: Watcher, fault: Exception) -> FrozenTrial:
    import optuna

    said = fault.render() if isinstance(fault, AssayError) else f"{type(fault).__name__}: {fault}"
    print(said, flush=True)
    trial.set_user_attr(CURVE, watcher.rows)
    trial.set_user_attr(REASON, said[:2000])
    return store.study.tell(trial, state=optuna.trial.TrialState.FAIL)


def _same_values(store: Store, trial: optuna.Trial) -> FrozenTrial | None:
    from optuna.trial import TrialState

    for known in store.trials():
        if known.state == TrialState.COMPLETE and known.params == trial.params:
            return known
    return None
