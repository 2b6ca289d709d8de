"""The run record: `run.json` and `history.csv` beside each model, enough to build its MLflow run anew.

It holds no clock, host or experiment name, so that equal runs have equal bytes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.runs.files import file_digest, write_json, write_text

if TYPE_CHECKING:
    from assay.runs.run import Run

RECORD = "run.json"
WEIGHTS = "weights.safetensors"
HISTORY = "history.csv"
CURVE = "loss.csv"
LOSS = "valid_loss"
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


def write_history(folder: Path, epochs: Sequence[Mapping[str, float]]) -> None:
    """Write a row an epoch: `history.csv` whole, numbers in their shortest exact form; and `loss.csv`.

    DVC writes every column of a CSV that it plots into its page, for every row and revision.
    """
    drawn = [{"epoch": each["epoch"], LOSS: f"{each[LOSS]:.4g}"} for each in epochs]
    for name, rows in ((HISTORY, epochs), (CURVE, drawn)):
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(folder / name, text.getvalue())
