"""Train: the jobs of a task, one of one fold or all of them, whose results are its model."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from assay.contract.grid import GridRun, SupportsGrid
from assay.errors import AssayError
from assay.jobs.collect import collect_folds, collect_one, collect_verdicts
from assay.jobs.driver import TRIES, run_jobs
from assay.jobs.executors import executor_of
from assay.jobs.job import jobs_of
from assay.jobs.progress import JobProgress
from assay.jobs.run_job import run_job
from assay.jobs.store import JobStore
from assay.lookup import find_task
from assay.manifest.layout import Layout
from assay.manifest.table import read_table
from assay.runs.files import read_json
from assay.runs.places import JOBS, PROOFS
from assay.runs.record import RECORD, VERDICT, smaller_batches

if TYPE_CHECKING:
    from assay.jobs.outcome import Outcome
    from assay.stages.launch import Stage


def main(stage: Stage) -> None:
    """Leave weights, history, record and predictions in `models/<task>/`."""
    task = find_task(stage.item)
    if isinstance(task, SupportsGrid):
        task.train_grid(
            GridRun(
                stage.root, stage.declared[task.name], stage.declared, stage.inputs, stage.key,
                stage.runtime, stage.is_known,
            )
        )  # fmt: skip
        return
    fold = stage.params(task.params).train.fold
    table = Layout(task.data).trainval
    _, facts = read_table(table, f"split@{task.data}")
    folds = [fold] if isinstance(fold, int) else list(range(facts["folds"]))
    jobs = jobs_of(task.name, stage.declared[task.name], stage.inputs, folds)
    store = JobStore(stage.root, PROOFS if stage.is_known else JOBS)
    work = partial(run_job, runtime=stage.runtime)
    executor = executor_of(stage.runtime, work, store, len(jobs))
    progress = JobProgress(task, jobs, store, executor.slots)
    outcomes = run_jobs(jobs, executor, store, progress, TRIES if len(jobs) > 1 else 1)
    verdict = Path("reports") / task.name / VERDICT
    collect_verdicts({each.job.fold: _folder(each, store) for each in outcomes}, verdict)
    _ensure_done(outcomes, store, verdict)
    folder = Path("models") / task.name
    results = {each.job.fold: each.folder for each in outcomes if each.folder}
    if isinstance(fold, int):
        collect_one(results[fold], folder)
    else:
        collect_folds(results, folder, {"key": stage.key, "params": stage.declared})
    if told := smaller_batches(read_json(folder / RECORD)):
        print(told)
    if stage.is_known:
        for job in jobs:
            store.forget(job)


def _folder(outcome: Outcome, store: JobStore) -> Path:
    """Return where the files of a job lie, be it finished or not."""
    return outcome.folder or store.half(outcome.job)


def _ensure_done(outcomes: list[Outcome], store: JobStore, verdict: Path) -> None:
    """Raise the first fault; of several jobs, with how many there are.

    Raises:
        AssayError: a job did not end well; where the preflight refused, its verdict lies at `verdict`.
    """
    failed = [each for each in outcomes if each.fault]
    for each in failed[:1]:
        fault = each.fault
        assert fault is not None
        if isinstance(fault, AssayError):
            own = str(store.half(each.job) / VERDICT)
            fault.mend = fault.mend.replace(own, str(verdict))
            if len(outcomes) > 1:
                told = f"fold {each.job.fold} of {len(outcomes)}, {len(failed)} failed"
                fault.found = f"{fault.found} ({told}; the others stay, and are not trained again)"
        raise fault
