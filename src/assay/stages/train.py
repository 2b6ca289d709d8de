"""Train: preflight, then the task's own training; sees the training part alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from assay.contract.inputs import inputs_of
from assay.contract.task_rows import task_rows
from assay.lookup import find_task
from assay.manifest.parts import read_trainval, validation_fold
from assay.runs.lock import held
from assay.runs.places import RESUME, named_lock
from assay.runs.run import Run

if TYPE_CHECKING:
    from assay.stages.launch import Stage


def main(stage: Stage) -> None:
    """Leave weights, history and record in `models/<task>/`."""
    task = find_task(stage.item)
    params = stage.params(task.params)
    rows, facts = read_trainval(task.data)
    own = task_rows(task, rows, params)
    train, valid = validation_fold(own, params.train.fold)
    resume = stage.root / RESUME / stage.key
    folder, reports = Path("models") / task.name, Path("reports") / task.name
    folder.mkdir(parents=True, exist_ok=True)
    record = {
        "stage": stage.name, "key": stage.key, "params": stage.declared, "data": facts,
        "inputs": dict(stage.inputs),
    }  # fmt: skip
    lock = named_lock(stage.root, f"resume-{stage.key}")
    with held(lock, "the same training runs elsewhere; waiting"):
        run = Run(
            task.name, stage.root, folder, reports, resume, stage.events, record,
            runtime=stage.runtime, handed=inputs_of(task, rows),
        )  # fmt: skip
        task.fit(train, valid, params, run)
