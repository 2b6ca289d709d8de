"""The contract, over every task; the toy of `examples/` is one of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay import contract
from assay.manifest.rows import Rows
from assay.params import read_params, typed
from assay.runs.files import read_json
from assay.runs.journal import Journal, read_journal
from assay.runs.record import HISTORY, RECORD, WEIGHTS
from assay.runs.run import Run

ROOT = Path(__file__).parents[2]
TASKS = sorted(contract.tasks())
SIZE = 32


def params_of(task: contract.Task) -> Any:
    """Return the task's parameters from the file, with a short loop."""
    toy = read_params(ROOT / "examples" / "toy" / "params.yaml")
    content = {**read_params(ROOT / "params.yaml"), **toy}
    content[task.name]["train"] |= {"epochs": 2} | (
        {"warmup": 1} if "warmup" in content[task.name]["train"] else {}
    )
    return typed(content, task.name, task.params)


@pytest.fixture(params=TASKS)
def task(request: pytest.FixtureRequest) -> contract.Task:
    return contract.find_task(request.param)


def rows_of(task: contract.Task, count: int = 24) -> Rows:
    """Return images whose brightness is their label's place in its possible range."""
    random = np.random.default_rng(1)
    place = random.uniform(0, 1, count)
    images = np.zeros((count, SIZE, SIZE, 3), dtype=np.uint8)
    images += (60 + 150 * place).astype(np.uint8)[:, None, None, None]
    images += random.integers(0, 9, images.shape, dtype=np.uint8)
    target = contract.find_system(task.data).target
    low, high = possible(task)
    labels = low + (high - low) * place
    return Rows(
        images, {target: labels, "sample_id": np.arange(count), "group_id": np.arange(count)}
    )


def possible(task: contract.Task) -> tuple[float, float]:
    """Return the range that the label gate holds for possible."""
    [limits] = [
        rule.arguments
        for rule in contract.find_system(task.data).rules()
        if rule.expectation == "ExpectColumnValuesToBeBetween"
    ]
    return limits["min_value"], limits["max_value"]


def run_in(folder: Path, task: contract.Task) -> Run:
    return Run(
        task.name, folder, folder / "model", folder / "reports", folder / "resume",
        Journal(folder / "journal.jsonl"), {"params": {}, "key": "0"},
    )  # fmt: skip


def test_the_data_exists_and_agrees(task: contract.Task) -> None:
    from tests.contract.test_systems import params_of as data_params

    assert task.agrees(params_of(task), data_params(contract.find_system(task.data))) == ""


def test_labels_are_what_the_loss_is_fed(task: contract.Task) -> None:
    rows = rows_of(task)
    labels = task.labels(rows)
    assert labels.dtype == np.float32
    assert labels.ndim == 2
    assert len(labels) == len(rows)
    exact = rows.columns[contract.find_system(task.data).target]
    assert np.allclose(labels[:, 0], exact, rtol=1e-6)  # nothing rounds a target


def test_a_perfect_prediction_has_perfect_metrics(task: contract.Task) -> None:
    labels = task.labels(rows_of(task))
    perfect = task.metrics(labels, labels)
    worse = task.metrics(labels + 0.3, labels)
    assert perfect[task.headline.metric] == pytest.approx(0)
    assert task.rank(perfect) < task.rank(worse)
    assert not any("@" in name for name in perfect)


def test_the_baseline_knows_the_training_labels_only(task: contract.Task) -> None:
    rows = rows_of(task)
    trivial = task.baseline(rows.where(np.arange(len(rows)) < 10), rows)
    assert len(trivial) == len(rows)
    assert np.isfinite(task.metrics(trivial, task.labels(rows))[task.headline.metric])
    # Of the rows that it is asked about it must not read the labels.
    hidden = {**rows.columns, contract.find_system(task.data).target: np.full(len(rows), np.nan)}
    again = task.baseline(rows.where(np.arange(len(rows)) < 10), Rows(rows.images, hidden))
    assert np.array_equal(trivial, again)


def test_fit_leaves_its_outputs_and_predicts_alike_after_loading(
    task: contract.Task, tmp_path: Path
) -> None:
    rows, params = rows_of(task), params_of(task)
    (tmp_path / "model").mkdir()
    run = run_in(tmp_path, task)
    task.fit(rows, rows, params, run)
    record = read_json(run.folder / RECORD)
    history = (run.folder / HISTORY).read_text().splitlines()
    assert len(history) == 1 + params.train.epochs
    assert [e["event"] for e in read_journal(run.journal.path)] == ["epoch"] * params.train.epochs
    assert not run.resume.exists()
    predictions = task.predictor(run.folder / WEIGHTS, params)(rows.images)
    again = task.predictor(run.folder / WEIGHTS, params)(rows.images)
    assert predictions.dtype == np.float32
    assert np.array_equal(predictions, again)
    # The picture is drawn, and the score given, through the transform that validation used.
    scores = task.metrics(task.restore(predictions, rows), task.labels(rows))
    headline = task.headline.metric
    assert scores[headline] == pytest.approx(record["chosen"][headline], rel=1e-5)
    task.pictures(predictions, rows, tmp_path / "pictures")
    assert list((tmp_path / "pictures").glob("*.png"))
