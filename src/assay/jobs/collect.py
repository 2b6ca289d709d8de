"""Results of jobs as the model of a stage: one as it is, those of all folds as one bundle."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from assay.jobs.store import FILES
from assay.learning.tensors import join_folds
from assay.manifest.table import write_table
from assay.runs.files import atomic_write, file_digest, read_json, write_json
from assay.runs.record import (
    CURVE,
    HISTORY,
    OUT_OF_FOLD,
    RECORD,
    VERDICT,
    WEIGHTS,
    mean,
    mean_history,
    read_history,
    write_curve,
    write_rows,
)


def collect_one(result: Path, folder: Path) -> None:
    """Copy the files of a job's result into `folder`; its verdict goes elsewhere, its digests nowhere."""
    for path in result.iterdir():
        if path.name not in (VERDICT, FILES):
            copy_file(path, folder / path.name)


def collect_verdicts(folders: Mapping[int, Path], path: Path) -> None:
    """Write the preflight's verdict on each fold, as far as it came to one, as one file.

    Args:
        folders: fold → where the verdict lies.
        path: takes it; of one fold as it is.
    """
    found = {n: folder / VERDICT for n, folder in folders.items() if (folder / VERDICT).exists()}
    if len(folders) == 1 and found:
        copy_file(next(iter(folders.values())) / VERDICT, path)
    elif found:
        verdicts = {fold: read_json(file) for fold, file in found.items()}
        checks = [
            {**check, "name": f"fold {fold}, {check['name']}"}
            for fold, verdict in verdicts.items() for check in verdict["checks"]
        ]  # fmt: skip
        passed = all(verdict["passed"] for verdict in verdicts.values())
        first = next(iter(verdicts.values()))
        write_json(path, {**first, "passed": passed, "checks": checks})


def copy_file(source: Path, path: Path) -> None:
    """Copy a file, whole or not at all."""
    atomic_write(path, lambda aside: shutil.copyfile(source, aside))


def collect_folds(results: Mapping[int, Path], folder: Path, facts: Mapping[str, Any]) -> None:
    """Write the results of all folds as one model.

    Args:
        results: fold → the folder of its job's result.
        folder: takes weights, record, history and predictions.
        facts: of the stage: its key and its parameters.
    """
    folder.mkdir(parents=True, exist_ok=True)
    records = {fold: read_json(result / RECORD) for fold, result in results.items()}
    join_folds({fold: result / WEIGHTS for fold, result in results.items()}, folder / WEIGHTS)
    said = pl.concat(pl.read_parquet(result / OUT_OF_FOLD) for result in results.values())
    write_table(folder / OUT_OF_FOLD, said, {})
    history = {fold: read_history(result / HISTORY) for fold, result in results.items()}
    # What a fold's rows have nothing of (mm, where no pixel size is known) is no number there.
    every = dict.fromkeys((name for each in history.values() for name in each[0]), math.nan)
    rows = [{"fold": fold, **every, **row} for fold, each in history.items() for row in each]
    write_rows(folder / HISTORY, rows)
    write_curve(folder / CURVE, mean_history(list(history.values())))
    first = {k: v for k, v in next(iter(records.values())).items() if k != "out_of_memory"}
    model = {**first["model"], "folds": list(results)}
    shared = {"task", "stage", "params", "data", "inputs", "model"}
    folds = {
        str(fold): {name: fact for name, fact in record.items() if name not in shared}
        for fold, record in records.items()
    }
    files = {WEIGHTS: file_digest(folder / WEIGHTS)}
    write_json(
        folder / RECORD,
        {**first, **facts, "chosen": mean([record["chosen"] for record in records.values()]),
         "model": model, "folds": folds, "files": files},
    )  # fmt: skip
