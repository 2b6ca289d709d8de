"""Scored predictions: what `evaluate` left of the validation rows, as comparisons and gates read it."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from assay.errors import AssayError
from assay.runs.record import PREDICTIONS

Floats = npt.NDArray[np.float32]
KINDS = ("label", "prediction", "baseline")
IDS = ("sample_id", "group_id")
# What results hold that were evaluated before there was a table: a column of text an output.
CSV = "predictions.csv"


@dataclass(frozen=True)
class Scored:
    """The rows of one `predictions.parquet`: n validation rows, in label units.

    Attributes:
        sample_ids: (n), each once.
        groups: (n,) the group of each row, as text.
        labels: (n, m), what the metrics are taken against.
        predictions: (n, k) of the model.
        baseline: (n, k) of the trivial predictor, fitted on the training rows; it may say less.
    """

    sample_ids: list[str]
    groups: npt.NDArray[np.str_]
    labels: Floats
    predictions: Floats
    baseline: Floats

    def at(self, rows: npt.NDArray[np.int64]) -> Scored:
        """Return the rows at these places, in their order."""
        return Scored(
            [self.sample_ids[row] for row in rows],
            self.groups[rows],
            self.labels[rows],
            self.predictions[rows],
            self.baseline[rows],
        )


def scored_name(held: Container[str], folder: str = "") -> str:
    """Return the path of the predictions among the files of a result, below `folder`.

    A result from before the table holds the CSV alone, which then had every output.
    """
    table, old = f"{folder}{PREDICTIONS}", f"{folder}{CSV}"
    return old if table not in held and old in held else table


def read_scored(path: Path) -> Scored:
    """Read predictions, whose file is told from an older CSV by its content: caches have no names.

    Raises:
        AssayError: it is absent, lacks a column, or names a sample twice.
    """
    if not path.exists():
        raise AssayError(str(path), "no such file", "predictions", "dvc repro evaluate@<task>")
    with path.open("rb") as stream:
        is_table = stream.read(4) == b"PAR1"
    table = pl.read_parquet(path) if is_table else _read_csv(path)
    if not {*IDS, *KINDS} <= set(table.columns):
        expected = "sample_id, group_id, and label, prediction, baseline for each output"
        raise AssayError(str(path), f"columns {', '.join(table.columns)}", expected)
    twice = table.filter(pl.col("sample_id").is_duplicated())["sample_id"]
    if len(twice):
        raise AssayError(str(path), f"sample {twice[0]} stands twice", "one row a sample")
    groups = table["group_id"].to_numpy().astype(str)
    return Scored(table["sample_id"].to_list(), groups, *(table[kind].to_numpy() for kind in KINDS))


def _read_csv(path: Path) -> pl.DataFrame:
    """Return the CSV's outputs as lists; a kind without columns is left out."""
    # Ids stay text: 0012 is not 12.
    table = pl.read_csv(path, schema_overrides=dict.fromkeys(IDS, pl.String))
    found = table.select(name for name in IDS if name in table.columns)
    for kind in KINDS:
        if columns := _columns(table, kind):
            values = table.select(columns).to_numpy().astype(np.float32)
            found = found.with_columns(pl.Series(kind, values))
    return found


def _columns(table: pl.DataFrame, kind: str) -> list[str]:
    """Return the columns `kind`, or `kind0`, `kind1`, … by number."""
    if kind in table.columns:
        return [kind]
    numbered = [name for name in table.columns if name.removeprefix(kind).isdecimal()]
    return sorted(numbered, key=lambda name: int(name.removeprefix(kind)))
