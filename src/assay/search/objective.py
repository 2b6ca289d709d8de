"""The objective that Optuna optimizes: the task's own training with a trial's values.

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
from assay.runs.events import EventLog
from assay.runs.files import read_json
from assay.runs.lock import held
from assay.runs.record import RECORD
from assay.runs.run import Run
from assay.search.space import suggest
from assay.search.storage import give_heartbeat
from assay.sections.machine import RUNTIME, Runtime
from assay.value_faults import PARAMS_FILE, SEARCH_FILE
from assay.values import typed

if TYPE_CHECKING:
    import optuna

    from assay.contract.task import Task
    from assay.manifest.rows import Rows
    from assay.search.plan import StudyPlan

# A trial's user attributes. `first`: the trial that was killed, and that this one repeats; or itself.
CURVE, CHOSEN, REASON, FIRST = "curve", "chosen", "reason", "first"
Row = Mapping[str, float]


class TakenForDeadError(BaseException):
    """The study counts the trial as killed and has queued it again, since no heartbeat came for too long.

    A machine was asleep, or a database away. No `Exception`, which Optuna would tell as a failed trial.
    """


@dataclass(frozen=True)
class TrialContext:
    """What every trial of a study is made of, read once a worker."""

    plan: StudyPlan
    root: Path
    task: Task
    rows: Rows
    facts: Mapping[str, Any]
    code: Declared

    @classmethod
    def read(cls, plan: StudyPlan, root: Path) -> TrialContext:
        """Read the training part of the task's data; the working folder is `root`."""
        task = find_task(plan.task)
        return cls(plan, root, task, *read_trainval(task.data), Declared.read(f"train@{plan.task}"))

    def objective(self, trial: optuna.Trial) -> list[float]:
        """Train one trial; return its objectives, of the epoch that the epoch rule chose.

        Raises:
            TrialPruned: the pruner ended it.
            TakenForDeadError: the study counts it as killed.
            Exception: what broke the training; its text is the trial's reason.
        """
        import optuna

        try:
            give_heartbeat(trial)
            suggest(self.plan.study, trial)
            print(f"[TRIAL] {trial.number}: {self.plan.values(trial.params)}", flush=True)
            return self._tried(trial)
        except optuna.exceptions.UpdateFinishedTrialError:
            raise TakenForDeadError from None

    def _tried(self, trial: optuna.Trial) -> list[float]:
        import optuna

        first = trial.user_attrs.get(
            FIRST, trial.number
        )  # whoever repeats a killed one inherits it
        trial.set_user_attr(FIRST, first)
        folder = self.plan.folder(self.root) / "trials" / str(first)
        reporter = EpochReporter(trial, list(self.plan.study.objectives))
        try:
            with held(folder / "trial.lock", "the same trial runs elsewhere; waiting"):
                chosen = self._train(trial, folder, reporter)
            trial.set_user_attr(CHOSEN, chosen)
            return _finite(chosen, reporter.objectives)
        except optuna.TrialPruned:
            raise
        except Exception as fault:
            trial.set_user_attr(REASON, _reason(fault))
            raise
        finally:
            trial.set_user_attr(CURVE, reporter.rows)
            shutil.rmtree(folder, ignore_errors=True)

    def _train(
        self, trial: optuna.Trial, folder: Path, reporter: EpochReporter
    ) -> dict[str, float]:
        """Do what the stage `train` does; return the chosen epoch's row."""
        plan, task = self.plan, self.task
        declared = {task.name: plan.section_with(trial.params)}
        params = typed(declared, task.name, task.params)
        train, valid = validation_fold(task_rows(task, self.rows, params), params.train.fold)
        run = Run(
            task.name, self.root, folder / "model", folder / "reports", folder / "resume",
            EventLog(folder / "events.jsonl"),
            {"key": plan.digest, "params": declared, "data": self.facts, "inputs": dict(plan.inputs)},
            reporter, typed(read_params(self.root / PARAMS_FILE), RUNTIME, Runtime),
        )  # fmt: skip
        run.folder.mkdir(parents=True, exist_ok=True)
        task.fit(train, valid, params, run)
        self.code.ensure_same()
        chosen: dict[str, float] = read_json(run.folder / RECORD)["chosen"]
        return chosen


@dataclass
class EpochReporter:
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
            raise AssayError(
                f"objective {', '.join(absent)}",
                "no such metric of an epoch",
                f"one of {', '.join(rows[-1])}",
                f"edit {SEARCH_FILE}",
            )
        new = [dict(row) for row in rows[len(self.rows) :]]
        self.rows += new
        if len(self.objectives) > 1:  # Optuna has no pruning for several
            return
        for row in new:
            self.trial.report(row[self.objectives[0]], int(row["epoch"]))
        if self.trial.should_prune():
            raise optuna.TrialPruned


def _finite(chosen: Row, objectives: Sequence[str]) -> list[float]:
    values = [chosen[name] for name in objectives]
    if not all(map(math.isfinite, values)):
        shown = ", ".join(f"{name} {chosen[name]}" for name in objectives)
        raise AssayError("objectives", shown, "numbers")
    return values


def _reason(fault: Exception) -> str:
    said = fault.render() if isinstance(fault, AssayError) else f"{type(fault).__name__}: {fault}"
    print(said, flush=True)
    return said[:2000]
