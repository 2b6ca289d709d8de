"""Running a job, in whatever process: train, then ask for the fold that validates, best and last."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from assay.contract.bundle import read_bundle
from assay.contract.inputs import inputs_of
from assay.contract.scored import ensure_answers
from assay.contract.task_rows import task_rows
from assay.errors import MachineError
from assay.jobs.store import WORKER
from assay.learning.memory import is_out_of_memory, release_memory, with_smaller_batch
from assay.lookup import find_task, find_trained
from assay.manifest.parts import read_trainval, validation_fold
from assay.manifest.table import write_table
from assay.runs.events import BEGUN, EventLog, events_path
from assay.runs.lock import held
from assay.runs.record import LAST, OUT_OF_FOLD
from assay.runs.run import Run
from assay.values import declared_part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from assay.contract.bundle import Bundle
    from assay.contract.scored import Floats
    from assay.contract.task import Task
    from assay.jobs.job import Job
    from assay.jobs.store import JobStore
    from assay.manifest.rows import Rows
    from assay.runs.run import Watch
    from assay.sections.machine import Runtime


def run_job(job: Job, store: JobStore, runtime: Runtime, watch: Watch | None = None) -> None:
    """Train a job, and put its result into the store; the working folder holds its data.

    Where memory does not do, the batch is halved, and the record says so.

    Raises:
        GateError: the preflight refused.
        MachineError: not even one row a batch fits.
        AssayError: what the task cannot be trained with.
    """
    name, declared = job.task, dict(job.params)
    with held(store.folder(job) / WORKER, "its last worker has not ended yet; waiting"):
        while store.result(job) is None:
            try:
                _train(job, store, declared, runtime, watch)
            except Exception as fault:
                if not is_out_of_memory(fault):
                    raise
                smaller = with_smaller_batch(declared[name]["train"])
                if smaller is None:
                    raise _too_large(job, fault) from fault
            else:
                return
            release_memory()
            told = f"{smaller['batch_size']} × {smaller['accumulate_grad_batches']}"
            print(f"out of memory: the batch is parted, {told} rows a step", flush=True)
            declared = {name: {**declared[name], "train": smaller}}


def _too_large(job: Job, fault: Exception) -> MachineError:
    data = find_task(job.task).data
    return MachineError(
        f"{job.stage}, fold {job.fold}",
        f"out of memory with one row a batch: {str(fault).strip().splitlines()[-1]}",
        "room for the network, and for what it makes of one row",
        f"set a smaller network ({job.task}.model) or smaller images ({data}.ingest), or ask fewer"
        " at once (runtime.n_jobs), or a machine that has more",
    )


def _train(
    job: Job, store: JobStore, declared: Mapping[str, Any], runtime: Runtime, watch: Watch | None
) -> None:
    task = find_trained(job.task)
    params = declared_part(declared, task.name, task.params)
    rows, facts = read_trainval(task.data)
    train, valid = validation_fold(task_rows(task, rows, params), job.fold)
    batch = params.train.batch_size
    folder, resume = store.half(job), store.work(job) / f"batch-{batch}"
    events = EventLog(events_path(store.root, job.stage, job.key))
    events.note(BEGUN, {"goes_on": resume.exists()})
    folder.mkdir(parents=True, exist_ok=True)
    record = {
        "stage": job.stage, "key": job.key, "params": job.params, "data": facts,
        "inputs": dict(job.inputs),
    }  # fmt: skip
    if declared != job.params:
        steps = params.train.accumulate_grad_batches
        record["out_of_memory"] = {"batch_size": batch, "accumulate_grad_batches": steps}
    run = Run(
        task.name, store.root, folder, folder, resume,
        events, record, watch, runtime, inputs_of(task, rows),
    )  # fmt: skip
    task.fit(train, valid, params, run)
    run.events.note("trained")
    _, asked = validation_fold(rows, job.fold)
    write_out_of_fold(task, run, params, asked, valid)
    store.put(job, folder)


def write_out_of_fold(task: Task, run: Run, params: Any, asked: Rows, valid: Rows) -> None:
    """Write what is said of the rows that validate, `out_of_fold.parquet`, a row each.

    `best`: of the epoch that was chosen, on these very rows; `last`: of the last one, which no row chose;
    absent where a task that has a training of its own keeps none.

    Args:
        task: that was trained.
        run: its training.
        params: of its section.
        asked: its data's rows of the fold.
        valid: the task's own rows of them.
    """
    best = read_bundle(run.folder)
    last = replace(best, files={name: run.resume / LAST / name for name in best.files})
    said = {"best": _said(task, best, params, asked, valid)}
    if all(path.exists() for path in last.files.values()):
        said["last"] = _said(task, last, params, asked, valid)
    ids = {name: valid.columns[name] for name in ("sample_id", "fold")}
    write_table(run.folder / OUT_OF_FOLD, pl.DataFrame({**ids, **said}), {})


def _said(task: Task, bundle: Bundle, params: Any, asked: Rows, valid: Rows) -> Floats:
    """Return what is said of the rows; who scores it judges it: a training may end in nan."""
    predictions = task.predictor(bundle, params)(asked)
    if len(predictions) != len(valid):
        ensure_answers(task, predictions, valid)
    return np.ascontiguousarray(predictions)
