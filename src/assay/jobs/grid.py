"""A grid of trainings: as jobs, and what is left of them in `models/<task>/`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from assay.code.write import FOLDER, training_file
from assay.contract.inputs import inputs_of
from assay.errors import AssayError
from assay.jobs.driver import TRIES, run_jobs
from assay.jobs.executors import executor_of
from assay.jobs.job import jobs_of
from assay.jobs.progress import JobProgress
from assay.jobs.run_job import run_job
from assay.jobs.store import JobStore
from assay.manifest.parts import read_trainval
from assay.manifest.table import write_table
from assay.runs.files import file_digest, read_json, write_json
from assay.runs.places import JOBS, PROOFS
from assay.runs.record import (
    CURVE,
    HISTORY,
    OUT_OF_FOLD,
    RECORD,
    VERDICT,
    WEIGHTS,
    mean_history,
    read_history,
    write_curve,
    write_rows,
)

if TYPE_CHECKING:
    from assay.contract.grid import GridRun, Results, Sections, SupportsGrid
    from assay.contract.scored import Floats
    from assay.jobs.job import Job
    from assay.jobs.outcome import Outcome
    from assay.manifest.rows import Rows
    from assay.sections.machine import Runtime

Trainings = Mapping[tuple[str, int], "Job"]


def grid_jobs(
    task: SupportsGrid, section: Mapping[str, Any], inputs: Mapping[str, str], folds: Sequence[int]
) -> dict[tuple[str, int], Job]:
    """Return the job of each configuration and fold, configuration by configuration."""
    sections = task.configurations(section)
    return jobs_by_name(task, sections, inputs, folds)


def jobs_by_name(
    task: SupportsGrid, sections: Sections, inputs: Mapping[str, str], folds: Sequence[int]
) -> dict[tuple[str, int], Job]:
    """Return the job of each of these configurations and each fold; of them alone see `grid_jobs`."""
    code = training_file(task.member.name)
    read = {path: digest for path, digest in inputs.items() if Path(path).parts[0] != FOLDER.name}
    # Not what chooses among trainings, which their stage reads too.
    read[str(code)] = file_digest(code)
    return {
        (name, job.fold): job
        for name, own in sections.items()
        for job in jobs_of(task.member.name, own, read, folds)
    }


def train_grid(task: SupportsGrid, run: GridRun) -> None:
    """Have all trainings done, and leave the model that is made of finalists in `models/<task>/`.

    What is done already, by whichever process or machine, is not done again. Of the trainings no
    finalist is made of, the weights go, unless the section keeps them; all else of them stays.
    """
    rows, facts = read_trainval(task.member.data)
    store, folds = JobStore(run.root, PROOFS if run.is_known else JOBS), range(facts["folds"])
    trainings = grid_jobs(task, run.section, run.inputs, folds)
    sections = task.configurations(run.section)
    task.judge(rows, sections, Path("reports") / task.member.name / VERDICT)
    task.prepare(rows, sections)
    results = train_all(task, trainings, store, run.runtime)
    chosen = task.choose_trainings(results, rows, run.section)
    results = {**results, **_with_weights(task, trainings, chosen, store, run.runtime)}
    keeps_all = _leave_model(task, run, results, chosen, rows, facts)
    for key, job in trainings.items():
        if run.is_known:
            store.forget(job)
        elif key not in chosen and not keeps_all:
            store.prune(job)


def _leave_model(
    task: SupportsGrid, run: GridRun, results: Results, chosen: Sequence[tuple[str, int]],
    rows: Rows, facts: Mapping[str, Any],
) -> bool:  # fmt: skip
    """Write the model and what all trainings say; return whether all weights are to stay."""
    folder = Path("models") / task.member.name
    folder.mkdir(parents=True, exist_ok=True)
    composed = task.compose(results, rows, run.section, folder / WEIGHTS)
    jobs = _write_histories(task, results, chosen, folder)
    _write_out_of_fold(results, rows, composed.said, folder / OUT_OF_FOLD)
    handed, folds = inputs_of(task.member, rows), list(range(facts["folds"]))
    stage = read_json(next(iter(results.values())) / RECORD)["stage"]
    record = {
        "task": task.member.name, "stage": stage, "key": run.key, "params": run.declared,
        "data": facts, "inputs": dict(run.inputs), "chosen": composed.chosen,
        "model": {**handed, **composed.model, "folds": folds}, "jobs": jobs,
        "files": {WEIGHTS: file_digest(folder / WEIGHTS)},
    }  # fmt: skip
    write_json(folder / RECORD, record)
    return composed.keeps_all


def train_all(
    task: SupportsGrid, trainings: Trainings, store: JobStore, runtime: Runtime
) -> dict[tuple[str, int], Path]:
    """Have trainings done, and return the folder of each one's result.

    Raises:
        AssayError: some failed; the others stay.
    """
    outcomes = run_trainings(task, trainings, store, runtime)
    failed = [(name, each.fault) for name, each in outcomes.items() if each.fault is not None]
    for (name, fold), fault in failed[:1]:
        if isinstance(fault, AssayError):
            told = f"{name}, fold {fold}; {len(failed)} of {len(outcomes)} failed"
            fault.found = f"{fault.found} ({told}; the others stay, and are not trained again)"
        raise fault
    return {name: each.folder for name, each in outcomes.items() if each.folder is not None}


def run_trainings(
    task: SupportsGrid, trainings: Trainings, store: JobStore, runtime: Runtime, tries: int = TRIES
) -> dict[tuple[str, int], Outcome]:
    """Have trainings done, on one display, and return what came of each."""
    names = {job.key: f"{name}, fold {fold}" for (name, fold), job in trainings.items()}
    jobs = list(trainings.values())
    left = sum(store.result(job) is None for job in jobs)
    executor = executor_of(runtime, partial(run_job, runtime=runtime), store, left)
    progress = JobProgress(
        task.member, jobs, store, executor.slots, name=lambda job: names[job.key], unit="training"
    )
    return dict(zip(trainings, run_jobs(jobs, executor, store, progress, tries), strict=True))


def _with_weights(
    task: SupportsGrid, trainings: Trainings, chosen: Sequence[tuple[str, int]], store: JobStore,
    runtime: Runtime,
) -> dict[tuple[str, int], Path]:  # fmt: skip
    """Train finalists again whose weights went with an earlier choice; return their results."""
    lacking = {name: trainings[name] for name in chosen if not store.has_weights(trainings[name])}
    for job in lacking.values():
        if claim := store.claim(job):  # else another driver trains it already
            store.forget(job)
            claim.close()
    return train_all(task, lacking, store, runtime) if lacking else {}


def _write_histories(
    task: SupportsGrid, results: Results, chosen: Sequence[tuple[str, int]], folder: Path
) -> list[dict[str, Any]]:
    """Write the history of all trainings, and the mean curve of finalists; return what they are."""
    jobs, rows, curves = [], [], []
    for place, (name, result) in enumerate(results.items()):
        record, history = read_json(result / RECORD), read_history(result / HISTORY)
        rows += [{"job": place, "fold": name[1], **row} for row in history]
        curves += [history] if name in chosen else []
        own = record["params"][task.member.name]
        flat = {**own["model"], **{key: own["train"][key] for key in ("epochs", "batch_size")}}
        jobs.append({
            "name": name[0], "fold": name[1], "key": record["key"], "params": flat,
            "chosen": record["chosen"], "is_finalist": name in chosen,
            **{key: record[key] for key in ("out_of_memory",) if key in record},
        })  # fmt: skip
    every = dict.fromkeys((name for row in rows for name in row), math.nan)
    write_rows(folder / HISTORY, [{**every, **row} for row in rows])
    write_curve(folder / CURVE, mean_history(curves))
    return jobs


def _write_out_of_fold(
    results: Results, rows: Rows, said: Mapping[str, Floats], path: Path
) -> None:
    """Write what model and trainings say of each row, by what was kept from its fold."""
    ids = {name: rows.columns[name] for name in ("sample_id", "fold")}
    trainings = out_of_fold(results, rows).T.astype(np.float32)
    columns = {**ids, **said, "trainings": np.ascontiguousarray(trainings)}
    write_table(path, pl.DataFrame(columns), {})


def out_of_fold(
    results: Results, rows: Rows, epoch: str = "best"
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return what each configuration says of rows (configurations, n), of none that trained it.

    Args:
        results: of all trainings.
        rows: of all folds.
        epoch: `best`, or `last`.
    """
    place = {each: row for row, each in enumerate(rows.columns["sample_id"].tolist())}
    names = list(dict.fromkeys(name for name, _ in results))
    said = np.full((len(names), len(rows)), np.nan)
    for (name, _), result in results.items():
        table = pl.read_parquet(result / OUT_OF_FOLD)
        own = [place[each] for each in table["sample_id"].to_list()]
        said[names.index(name), own] = table[epoch].to_numpy()[:, 0]
    return said
