"""Predictions: a table with a list of outputs a row, exact; and what a plot can draw of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from assay.errors import AssayError
from assay.manifest.rows import Rows
from assay.stages.predictions import write_predictions
from assay.tracking.scored import read_scored

COUNT = 40
TABLE, CSV = "predictions.parquet", "pictures/predictions.csv"


def rows(count: int = COUNT) -> Rows:
    """Return rows without a picture; ids that a reader of numbers would spoil."""
    names = np.array([f"{row:04}" for row in range(count)], dtype=object)
    columns = {"sample_id": names, "group_id": np.arange(count) // 2}
    return Rows({"image": np.zeros((count, 1, 1, 3), np.uint8)}, columns)


def numbers(outputs: int, seed: int = 0, count: int = COUNT) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(0, 1e3, (count, outputs)).astype(np.float32)
    drawn[0, 0] = np.nan
    return drawn


@pytest.mark.parametrize("outputs", [1, 2, 300])
def test_every_output_is_read_to_the_last_bit(tmp_path: Path, outputs: int) -> None:
    said, trivial, labels = numbers(outputs), numbers(max(1, outputs - 1), 1), numbers(outputs, 2)
    write_predictions(tmp_path, rows(), said, trivial, labels)
    read = read_scored((tmp_path / TABLE).rename(tmp_path / "0a1b"))  # as a cache names it
    assert read.sample_ids[:2] == ["0000", "0001"]
    assert read.groups.tolist() == [str(row // 2) for row in range(COUNT)]
    found = (read.predictions, read.baseline, read.labels)
    assert [each.dtype for each in found] == [np.float32] * 3
    for one, other in zip(found, (said, trivial, labels), strict=True):
        assert one.tobytes() == other.tobytes()


def test_the_last_epoch_stands_beside_the_best(tmp_path: Path) -> None:
    said, last = numbers(2), numbers(2, 5)
    write_predictions(tmp_path, rows(), said, said, said, last)
    read = read_scored(tmp_path / TABLE)
    assert read.last is not None
    assert read.last.tobytes() == last.tobytes()
    some = read.at(np.array([3, 1])).last
    assert some is not None
    assert some.tolist() == last[[3, 1]].tolist()
    write_predictions(tmp_path, rows(), said, said, said)
    assert read_scored(tmp_path / TABLE).last is None


def test_equal_predictions_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        write_predictions(tmp_path / name, rows(), *(numbers(7, seed) for seed in range(3)))
    assert (tmp_path / "one" / TABLE).read_bytes() == (tmp_path / "other" / TABLE).read_bytes()


def test_the_table_alone_has_several_outputs(tmp_path: Path) -> None:
    """A column of text an output: 100 rows of 5,000 drugs were 11 MB of it."""
    probabilities = np.zeros((100, 5000), np.float32)
    write_predictions(tmp_path, rows(100), probabilities, probabilities, numbers(1, count=100))
    assert len(pl.read_parquet_schema(tmp_path / TABLE)) == 5
    assert (tmp_path / TABLE).stat().st_size < 50_000
    assert not (tmp_path / CSV).exists()  # a header alone has nothing to draw


def test_the_csv_is_what_a_plot_draws_of_one_output(tmp_path: Path) -> None:
    said, trivial, labels = (numbers(1, seed) for seed in range(3))
    write_predictions(tmp_path, rows(), said, trivial, labels)
    drawn = pl.read_csv(tmp_path / CSV)
    assert drawn.columns == ["label", "prediction"]
    assert drawn["prediction"][1:].to_list() == pytest.approx(said[1:, 0].tolist(), rel=1e-4)


@pytest.mark.parametrize("lost", ["group_id", "baseline"])
def test_a_table_without_a_column_is_refused(tmp_path: Path, lost: str) -> None:
    write_predictions(tmp_path, rows(), numbers(2), numbers(2), numbers(2))
    pl.read_parquet(tmp_path / TABLE).drop(lost).write_parquet(tmp_path / TABLE)
    with pytest.raises(AssayError, match="baseline for each output"):
        read_scored(tmp_path / TABLE)


def test_a_sample_that_stands_twice_is_refused(tmp_path: Path) -> None:
    twice = rows()
    twice.columns["sample_id"][3] = "0002"
    write_predictions(tmp_path, twice, numbers(2), numbers(2), numbers(2))
    with pytest.raises(AssayError, match="sample 0002 stands twice"):
        read_scored(tmp_path / TABLE)


def test_absent_predictions_are_told(tmp_path: Path) -> None:
    with pytest.raises(AssayError, match="no such file"):
        read_scored(tmp_path / TABLE)
