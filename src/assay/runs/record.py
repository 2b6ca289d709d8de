"""The run record: `run.json` and `history.csv` beside each model, enough to build its MLflow run anew.

It holds no clock, host or experiment name, so that equal runs have equal bytes.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.runs.files import atomic_write, file_digest, write_json

if TYPE_CHECKING:
    from assay.runs.run import Run

RECORD = "run.json"
WEIGHTS = "weights.safetensors"
HISTORY = "history.csv"
PREDICTIONS = "predictions.parquet"  # of the validation rows, below `reports/<task>/`


def write_record(
    run: Run,
    chosen: Mapping[str, Any],
    model: Mapping[str, Any],
    names: Sequence[str] = (WEIGHTS,),
) -> None:
    """Write the record of a finished training, whose files are there; their digests stand in it.

    Args:
        run: the training, with its `facts` (params, inputs, key, data).
        chosen: the epoch that the epoch rule chose, and its validation metrics.
        model: what is needed to use the files, beside what the model is handed: outputs, digest of the
            first weights.
        names: of the files that the model is.
    """
    content = {
        "task": run.task, **run.facts, "chosen": dict(chosen), "model": {**run.handed, **model},
        "files": {name: file_digest(run.folder / name) for name in names},
    }  # fmt: skip
    write_json(run.folder / RECORD, content)


def write_history(path: Path, epochs: Sequence[Mapping[str, float]]) -> None:
    """Write a row an epoch as CSV; numbers in their shortest exact form."""

    def fill(aside: Path) -> None:
        with aside.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(epochs[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(epochs)

    atomic_write(path, fill)
