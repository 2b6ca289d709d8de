"""The table of what was said of the validation rows, by a task or a pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from assay.learning.scoring import widened
from assay.manifest.parts import validation_fold
from assay.manifest.table import write_table
from assay.runs.files import atomic_write
from assay.runs.record import PREDICTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from assay.contract.scored import Floats
    from assay.manifest.rows import Rows


def fold_by_fold(
    rows: Rows, folds: Sequence[int], ask: Callable[[int, Rows, Rows], Floats]
) -> Floats:
    """Return what is said (n, outputs) of the rows that these folds validate, in the order of `rows`.

    Args:
        rows: of all folds.
        folds: that validate.
        ask: fold, its training and its validation rows → what is said of the latter.
    """
    said = [ask(fold, *validation_fold(rows, fold)) for fold in folds]
    places = [np.flatnonzero(rows.columns["fold"] == fold) for fold in folds]
    return np.concatenate(widened(said))[np.argsort(np.concatenate(places))]


def write_predictions(
    folder: Path,
    valid: Rows,
    predictions: Floats,
    baseline: Floats,
    labels: Floats,
    last: Floats | None = None,
) -> None:
    """Write one row a validation row: `predictions.parquet`; and for DVC's plots what they can draw.

    The table holds all outputs, float32, a list in each of `label`, `prediction` and `baseline`, and
    in `last` where there is a last epoch that answers. Where each has one output, `label` and
    `prediction` stand among the pictures as CSV, five digits of each.
    """
    ids = {name: valid.columns[name] for name in ("sample_id", "group_id")}
    said = {"label": labels, "prediction": predictions, "baseline": baseline}
    if last is not None:
        said["last"] = last
    table = pl.DataFrame({**ids, **{kind: each.astype(np.float32) for kind, each in said.items()}})
    write_table(folder / PREDICTIONS, table, {})
    if all(values.shape[1] == 1 for values in said.values()):
        drawn = pl.col("label", "prediction").arr.first().round_sig_figs(5)
        atomic_write(folder / "pictures" / "predictions.csv", table.select(drawn).write_csv)
