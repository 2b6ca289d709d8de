"""Train: preflight, then the task's own training; sees the training part alone."""

from __future__ import annotations

from pathlib import Path

from assay import contract
from assay.manifest.parts import read_trainval, validation_fold
from assay.runs.lock import held
from assay.runs.run import Run
from assay.stages.launch import Stage


def main(stage: Stage) -> None:
    """Leave weights, history and record in `models/<task>/`."""
    task = contract.find_task(stage.item)
    params = stage.params(task.params)
    rows, facts = read_trainval(task.data)
    own = contract.task_rows(task, rows, params)
    train, valid = validation_fold(own, params.train.fold)
    resume = stage.root / ".assay" / "resume" / stage.key
    folder, reports = Path("models") / task.name, Path("reports") / task.name
    folder.mkdir(parents=True, exist_ok=True)
    record = {
        "stage": stage.name, "key": stage.key, "params": stage.declared, "data": facts,
        "inputs": dict(stage.inputs),
    }  # fmt: skip
    lock = stage.root / ".assay" / "locks" / f"resume-{stage.key}.lock"
    with held(lock, "the same training runs elsewhere; waiting"):
        run = Run(task.name, stage.root, folder, reports, resume, stage.journal, record)
        task.fit(train, valid, params, run)
