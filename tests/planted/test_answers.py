"""Answers that are none: logits for probabilities, a wrong shape; and a task that lacks a method."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from tests.contract.test_tasks import data_rows, params_of

from assay.contract.inputs import inputs_of
from assay.contract.listing import Listing
from assay.contract.scored import ensure_answers
from assay.errors import AssayError
from assay.lookup import find_task, imported

ROOT = Path(__file__).parents[2]


def probabilities(count: int) -> Any:
    return np.full((count, 3), 1 / 3, np.float32)


@pytest.mark.parametrize(
    ("task", "said", "found"),
    [
        ("toy-shade", lambda n: 9 * probabilities(n) - 4, "logits need a softmax"),
        ("toy-shade", lambda n: 2 * probabilities(n), "logits need a softmax"),
        ("toy-shade", lambda n: probabilities(n)[:, :2], r"\(36, 2\); expected \(36, 3\)"),
        ("toy-level", lambda n: np.zeros((n, 2), np.float32), r"\(36, 2\) for 36 rows"),
        ("toy-level", lambda n: np.zeros((n - 1, 1), np.float32), r"\(35, 1\) for 36 rows"),
        ("toy-level", lambda n: np.full((n, 1), np.nan, np.float32), "36 of 36 are no number"),
        ("toy-level", lambda n: np.zeros((n, 1)), "float64\n.*an array of float32"),
        ("toy-level", lambda n: np.zeros((n, 1), np.int64), "int64"),
        ("toy-level", lambda n: torch.zeros(n, 1), r"torch\.float32"),
        ("toy-level", lambda n: [[0.0]] * n, "list"),
        ("ceph-landmarks", lambda n: np.zeros((n - 1, 58), np.float32), r"\(35, 58\) for 36 rows"),
    ],
)
def test_what_is_no_answer_is_refused(task: str, said: Callable[[int], Any], found: str) -> None:
    rows = data_rows(find_task(task))
    with pytest.raises(AssayError, match=found):
        ensure_answers(find_task(task), said(len(rows)), rows)


def test_answers_are_taken() -> None:
    for name, said in (
        ("toy-shade", probabilities(36)),
        ("toy-level", np.zeros((36, 1), np.float32)),
    ):
        task, rows = find_task(name), data_rows(find_task(name))
        assert task.refuse_predictions(said, rows) == ""
        ensure_answers(task, said, rows)


def test_a_learner_that_forgets_its_softmax_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a newcomer did: the network's logits went into the table, and nothing objected."""
    task: Any = find_task("toy-shade")
    learner = task.learner(params_of(task))
    monkeypatch.setattr(type(learner), "decode", lambda _, outputs: outputs)
    network, _ = learner.build(data_rows(task))
    with pytest.raises(AssayError, match="logits need a softmax"):
        ensure_answers(task, learner.predict(network.eval(), data_rows(task)), data_rows(task))


def test_a_column_that_no_row_has_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    task: Any = find_task("toy-level")
    monkeypatch.setattr(type(task), "reads", ("widht",))
    rows = data_rows(task)
    with pytest.raises(
        AssayError, match=rf"toy-level\.reads · widht: no such column of {task.data}"
    ):
        inputs_of(task, rows)
    monkeypatch.setattr(type(task), "reads", ("width",))
    assert "width" in inputs_of(task, rows)["reads"]


def test_a_task_without_its_labels_says_which_method_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    level = (ROOT / "examples/toy/tasks/level.py").read_text()
    lacking = re.sub(r"    def learner.*?(?=\n\nLEVEL)", "", level, flags=re.DOTALL)
    (tmp_path / "lacking.py").write_text(lacking)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(AssayError, match=r"abstract method '?learner'?") as told:
        imported("lacking")
    assert "lacking.py, line" in told.value.where


def test_a_class_that_the_task_does_not_name_is_told() -> None:
    task, rows = find_task("toy-shade"), data_rows(find_task("toy-shade"))
    spelt = {**rows.columns, "shade": np.array(["drak", *rows.columns["shade"][1:]], object)}
    with pytest.raises(AssayError, match=r"column shade: holds drak\n.*dark, middle, light"):
        task.labels(replace(rows, columns=spelt))


def test_a_column_that_read_does_not_give_is_told() -> None:
    for name, column in (("toy-shade", "shade"), ("toy-level", "level")):
        task, rows = find_task(name), data_rows(find_task(name))
        lacking = {each: rows.columns[each] for each in rows.columns if each != column}
        with pytest.raises(AssayError, match=f"column {column}: rows of toy have sample_id"):
            task.labels(replace(rows, columns=lacking))


def test_a_listing_without_groups_is_told() -> None:
    table = pl.DataFrame({name: [""] for name in ("sample_id", "uri", "item", "subset", "fault")})
    with pytest.raises(AssayError, match="no column group"):
        Listing(table, "sample", [])


@pytest.mark.parametrize("name", ["toy-level", "toy-shade"])
def test_a_learners_own_loss_and_rates_are_those_of_the_training(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    task: Any = find_task(name)
    rows, learner = data_rows(task), task.learner(params_of(task))
    loss, groups = torch.nn.L1Loss(), list(learner.param_groups(learner.build(rows)[0]))
    monkeypatch.setattr(type(learner), "loss", lambda _: loss)
    monkeypatch.setattr(type(learner), "param_groups", lambda *_: groups)
    spec = learner.prepare(rows, rows).spec
    assert spec.loss is loss
    assert spec.param_groups is groups


def test_logits_are_refused_before_anything_is_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    task: Any = find_task("toy-shade")
    rows, learner = data_rows(task), task.learner(params_of(task))
    assert learner.prepare(rows, rows).spec.network.training
    monkeypatch.setattr(type(learner), "decode", lambda _, outputs: 9 * outputs)
    with pytest.raises(AssayError, match="logits need a softmax"):
        learner.prepare(rows, rows)
