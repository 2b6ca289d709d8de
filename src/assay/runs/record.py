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
VERDICT = "preflight.json"
LOSS = "valid_loss"
MOST_TOLD = 5  # trainings by name, in a line
OUT_OF_FOLD = "out_of_fold.parquet"  # what a training says of the rows that validate
LAST = "last"  # a folder with the files of the last epoch, beside the states of a training
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
    """Write a row an epoch: `history.csv` whole, numbers in their shortest exact form; and `loss.csv`."""
    write_rows(folder / HISTORY, epochs)
    write_curve(folder / CURVE, epochs)


def write_curve(path: Path, epochs: Sequence[Mapping[str, float]]) -> None:
    """Write the validation loss of each epoch, to be drawn.

    DVC writes every column of a CSV that it plots into its page, for every row and revision.
    """
    write_rows(path, [{"epoch": each["epoch"], LOSS: f"{each[LOSS]:.4g}"} for each in epochs])


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as CSV, under the names of the first."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def trainings(record: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return what a record says of each training, key and chosen epoch among it, by what it is called.

    They are those of the folds, or of the jobs of a grid, or the one without a name.
    """
    folds = {f"fold {fold}": own for fold, own in record.get("folds", {}).items()}
    jobs = {f"{own['name']} fold {own['fold']}": own for own in record.get("jobs", ())}
    return folds or jobs or {"": record}


def smaller_batches(record: Mapping[str, Any]) -> str:
    """Return in what batches it was trained where those declared did not fit, or an empty text."""
    found = {
        name: own["out_of_memory"]
        for name, own in trainings(record).items() if "out_of_memory" in own
    }  # fmt: skip
    told = [
        f"{name} in batches of {each['batch_size']}, {each['accumulate_grad_batches']} a step".strip()
        for name, each in found.items()
    ]
    more = [f"and {len(told) - MOST_TOLD} more"] if len(told) > MOST_TOLD else []
    return f"out of memory: trained {', '.join(told[:MOST_TOLD] + more)}" if told else ""


def read_history(path: Path) -> list[dict[str, float]]:
    """Return the rows of a `history.csv`."""
    with path.open(newline="", encoding="utf-8") as stream:
        return [
            {name: float(value) for name, value in row.items()} for row in csv.DictReader(stream)
        ]


def mean(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean over folds of what all of them have."""
    names = [name for name in rows[0] if all(name in row for row in rows)]
    return {name: sum(row[name] for row in rows) / len(rows) for name in names}


def mean_history(histories: Sequence[Sequence[Mapping[str, float]]]) -> list[dict[str, float]]:
    """Return the mean row of each epoch, over the folds that came so far."""
    longest = max(map(len, histories))
    return [
        mean([each[epoch] for each in histories if epoch < len(each)]) for epoch in range(longest)
    ]
