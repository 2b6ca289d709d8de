"""The objective that Optuna optimizes: the task's own training with a trial's values.

Only training and validation rows are at hand; the sealed test set is out of reach, as it is in a stage.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.code.declared import Declared
from assay.errors import AssayError
from assay.jobs.driver import run_jobs
from assay.jobs.executor import InProcess
from assay.jobs.job import jobs_of
from assay.jobs.outcome import finished
from assay.jobs.progress import JobProgress
from assay.jobs.run_job import run_job
from assay.jobs.store import JobStore
from assay.lookup import find_task
from assay.manifest.layout import Layout
from assay.manifest.table import read_table
from assay.params import read_params
from assay.runs.files import read_json
from assay.runs.record import HISTORY, RECORD, mean, mean_history, read_history
from assay.search.space import suggest
from assay.search.storage import give_heartbeat
from assay.sections.machine import RUNTIME, Runtime
from assay.value_faults import PARAMS_FILE, SEARCH_FILE
from assay.values import typed

if TYPE_CHECKING:
    import optuna

    from assay.contract.task import Task
    from assay.search.plan import StudyPlan

CURVE, CHOSEN, REASON = "curve", "chosen", "reason"  # a trial's user attributes
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
    facts: Mapping[str, Any]
    code: Declared

    @classmethod
    def read(cls, plan: StudyPlan, root: Path) -> TrialContext:
        """Read the facts of the task's data; the working folder is `root`."""
        task = find_task(plan.task)
        _, facts = read_table(Layout(task.data).trainval, f"split@{task.data}")
        return cls(plan, root, task, facts, Declared.read(f"train@{plan.task}"))

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

        reporter = EpochReporter(trial, list(self.plan.study.objectives))
        try:
            chosen = self._train(trial, reporter)
            trial.set_user_attr(CHOSEN, chosen)
            return _finite(chosen, reporter.objectives)
        except optuna.TrialPruned:
            raise
        except Exception as fault:
            trial.set_user_attr(REASON, _reason(fault))
            raise
        finally:
            trial.set_user_attr(CURVE, reporter.rows)

    def _train(self, trial: optuna.Trial, reporter: EpochReporter) -> dict[str, float]:
        """Have the trial's jobs done, as the stage `train` has them; return the row that counts.

        Of one fold that of the chosen epoch. Of all folds the mean of their last: that no row chose.
        """
        section = self.plan.section_with(trial.params)
        fold = typed({self.task.name: section}, self.task.name, self.task.params).train.fold
        folds = [fold] if isinstance(fold, int) else list(range(self.facts["folds"]))
        jobs = jobs_of(self.task.name, section, self.plan.inputs, folds)
        store, watch = JobStore(self.root), reporter if isinstance(fold, int) else None
        runtime = typed(read_params(self.root / PARAMS_FILE), RUNTIME, Runtime)
        work = partial(run_job, runtime=runtime, watch=watch)
        try:
            progress = JobProgress(self.task, jobs, store)
            outcomes = run_jobs(jobs, InProcess(work, store), store, progress, tries=1)
            results = [finished(each) for each in outcomes]
            histories = [read_history(result / HISTORY) for result in results]
            reporter(
                histories[0] if watch else mean_history(histories)
            )  # of one that was done before
        except Exception:
            if watch:  # pruned, or refused: no state of it is gone on from
                shutil.rmtree(store.work(jobs[0]), ignore_errors=True)
            raise
        self.code.ensure_same()
        if watch is None:
            return mean([rows[-1] for rows in histories])
        chosen: dict[str, float] = read_json(results[0] / RECORD)["chosen"]
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
        if len(self.objectives) > 1 or not new:  # Optuna has no pruning for several
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
