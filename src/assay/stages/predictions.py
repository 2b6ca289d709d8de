"""The table of what was said of the validation rows, by a task or a pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from assay.manifest.table import write_table
from assay.runs.files import atomic_write
from assay.runs.record import PREDICTIONS

if TYPE_CHECKING:
    from pathlib import Path

    from assay.contract.scored import Floats
    from assay.manifest.rows import Rows


def write_predictions(
    folder: Path, valid: Rows, predictions: Floats, baseline: Floats, labels: Floats
) -> None:
    """Write one row a validation row: `predictions.parquet`; and for DVC's plots what they can draw.

    The table holds all outputs, float32, a list in each of `label`, `prediction` and `baseline`. Where
    each has one output, `label` and `prediction` stand among the pictures as CSV, five digits of each.
    """
    ids = {name: valid.columns[name] for name in ("sample_id", "group_id")}
    said = {"label": labels, "prediction": predictions, "baseline": baseline}
    table = pl.DataFrame({**ids, **{kind: each.astype(np.float32) for kind, each in said.items()}})
    write_table(folder / PREDICTIONS, table, {})
    if all(values.shape[1] == 1 for values in said.values()):
        drawn = pl.col("label", "prediction").arr.first().round_sig_figs(5)
        atomic_write(folder / "pictures" / "predictions.csv", table.select(drawn).write_csv)
