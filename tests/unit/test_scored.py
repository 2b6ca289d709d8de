"""Predictions: a table with a list of outputs a row, exact; and what older results hold instead."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from assay.errors import AssayError
from assay.manifest.rows import Rows
from assay.stages.evaluate import write_predictions
from assay.tracking.scored import CSV, read_scored, scored_name

COUNT = 40
TABLE = "predictions.parquet"


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


def test_equal_predictions_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        write_predictions(tmp_path / name, rows(), *(numbers(7, seed) for seed in range(3)))
    for name in (TABLE, CSV):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_the_table_grows_with_outputs_and_the_csv_does_not(tmp_path: Path) -> None:
    """A column of text an output: 100 rows of 5,000 drugs were 11 MB of it."""
    probabilities = np.zeros((100, 5000), np.float32)
    write_predictions(tmp_path, rows(100), probabilities, probabilities, numbers(1, count=100))
    assert len(pl.read_parquet_schema(tmp_path / TABLE)) == 5
    assert (tmp_path / TABLE).stat().st_size < 50_000
    assert (tmp_path / CSV).read_text() == "sample_id,group_id,label,prediction,baseline\n"


def test_the_csv_is_what_a_plot_draws_of_one_output(tmp_path: Path) -> None:
    said, trivial, labels = (numbers(1, seed) for seed in range(3))
    write_predictions(tmp_path, rows(), said, trivial, labels)
    drawn = pl.read_csv(tmp_path / CSV, schema_overrides={"sample_id": pl.String})
    assert drawn.columns == ["sample_id", "group_id", "label", "prediction", "baseline"]
    assert drawn["prediction"][1:].to_list() == pytest.approx(said[1:, 0].tolist(), rel=1e-6)
    assert drawn["sample_id"][1] == "0001"


def test_the_table_is_read_and_the_csv_alone_of_results_that_have_no_table() -> None:
    assert scored_name({TABLE, CSV}) == TABLE
    assert scored_name({CSV}) == CSV
    assert scored_name({"reports/t/predictions.csv"}, "reports/t/") == "reports/t/predictions.csv"
    assert scored_name(set(), "reports/t/") == "reports/t/predictions.parquet"  # what is missed


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


def test_an_older_csv_is_read_as_written(tmp_path: Path) -> None:
    path = tmp_path / CSV
    path.write_text(
        "sample_id,group_id,label,prediction,baseline\n0012,7,15.3,14.108392,12.0\n12,08,9.1,9,12\n"
    )
    read = read_scored(path)
    assert read.sample_ids == ["0012", "12"]
    assert read.groups.tolist() == ["7", "08"]
    assert read.labels.dtype == np.float32
    assert read.predictions[:, 0].tolist() == np.float32([14.108392, 9]).tolist()


def test_an_older_csv_s_outputs_are_read_by_number(tmp_path: Path) -> None:
    """Eleven of them: as text, label10 would stand before label2."""
    kinds = {"label": 0, "prediction": 100, "baseline": 200}
    columns = {
        f"{kind}{number}": [float(start + number)] * 2
        for number in reversed(range(11))
        for kind, start in kinds.items()
    }
    table = pl.DataFrame({"sample_id": ["a", "b"], "group_id": ["a", "b"], **columns})
    table.write_csv(tmp_path / CSV)
    read = read_scored(tmp_path / CSV)
    assert read.labels[0].tolist() == list(range(11))
    assert read.predictions[1].tolist() == list(range(100, 111))
    assert read.baseline[1].tolist() == list(range(200, 211))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sample_id,group_id,label,prediction\na,a,1,1\n", "label, prediction, baseline"),
        ("sample_id,label,prediction,baseline\na,1,1,1\n", "sample_id, group_id"),
        ("sample_id,group_id,label,prediction,baseline\na,a,1,1,1\na,b,1,1,1\n", "a stands twice"),
    ],
)
def test_an_older_csv_that_cannot_be_paired_is_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / CSV
    path.write_text(text)
    with pytest.raises(AssayError, match=said):
        read_scored(path)


def test_absent_predictions_are_told(tmp_path: Path) -> None:
    with pytest.raises(AssayError, match="no such file"):
        read_scored(tmp_path / CSV)
