"""A model of several folds: one answer of all, or a refusal in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.contract.bundle import Bundle
from assay.contract.combined import combined_predictor, ensure_combines
from assay.contract.task_capabilities import SupportsCombination
from assay.errors import AssayError
from assay.lookup import all_scored, find_scored, find_task
from assay.manifest.rows import Rows

ROWS = Rows({"image": np.zeros((2, 4, 4, 3), np.uint8)}, {})
WITHOUT = {"pills-detector", "pills-combo"}  # boxes of two models are two lists
nan = np.nan


def several(count: int) -> Bundle:
    own = {str(fold): {"chosen": {"epoch": fold}} for fold in range(count)}
    return Bundle({}, {"model": {"folds": list(range(count))}, "folds": own, "chosen": {}})


class Told:
    """A task whose model of fold k says k + 1."""

    name, parts = "told", ()

    def predictor(self, bundle: Bundle, params: Any) -> Any:
        assert bundle.fold is not None
        value = float(bundle.fold) + 1
        return lambda rows: np.full((len(rows), 1), value, np.float32)

    def combine(self, predictions: Any) -> Any:
        return np.max(predictions, axis=0)


def test_all_folds_are_asked_and_put_together_as_the_task_says() -> None:
    task: Any = Told()
    bundle = several(3)
    assert combined_predictor(task, bundle, None)(ROWS).tolist() == [[3], [3]]
    assert combined_predictor(task, bundle.of_fold(1), None)(ROWS).tolist() == [[2], [2]]
    assert [own.fold for own in bundle.folds] == [0, 1, 2]
    assert [own.record["chosen"]["epoch"] for own in bundle.folds] == [0, 1, 2]
    assert bundle.folds[0].folds == []


def test_every_task_combines_or_says_so() -> None:
    known = all_scored()
    assert {name for name, each in known.items() if not isinstance(each, SupportsCombination)} == (
        WITHOUT
    )


@pytest.mark.parametrize("name", sorted(WITHOUT))
def test_what_cannot_be_combined_is_refused_in_words(name: str) -> None:
    scored = find_scored(name)
    with pytest.raises(AssayError, match="5 models, no model") as told:
        ensure_combines(scored, several(5))
    for part in scored.parts or [name]:
        assert f"-S {part}.train.fold=0" in told.value.mend
    ensure_combines(scored, Bundle({}, {"model": {}}))  # one training is one


@pytest.mark.parametrize(
    "name", ["hemoglobin-nail", "ceph-landmarks", "ceph-cvm", "spectra-bayer", "toy-shade"]
)
def test_values_points_and_probabilities_are_their_mean(name: str) -> None:
    task: Any = find_task(name)
    one, other = np.random.default_rng(0).dirichlet(np.ones(6), (2, 5)).astype(np.float32)
    said = task.combine([one, other, other])
    assert said.dtype == np.float32
    assert said == pytest.approx((one + 2 * other) / 3, abs=1e-6)
    assert said.sum(axis=1) == pytest.approx(np.ones(5), abs=1e-6)
    assert np.array_equal(task.combine([one]), one)


def test_a_drug_that_a_fold_was_never_taught_has_no_chance_with_it() -> None:
    task: Any = find_task("pills-classifier")
    first = np.array([[0.25, nan, 0.75, nan]], np.float32)
    second = np.array([[0.5, 0.5, nan]], np.float32)  # its table ends before the first's
    said = task.combine([first, second])
    assert said.shape == (1, 4)
    assert said[0, :3].tolist() == [0.375, 0.25, 0.375]
    assert np.isnan(said[0, 3])  # of a drug that nobody was taught nothing is known
    assert np.array_equal(task.combine([first]), first, equal_nan=True)


def test_cells_are_voted_on_and_equals_go_to_the_lower_class() -> None:
    task: Any = find_task("pills-segmentation")
    maps = np.array([[[2, 0, 1, nan]], [[2, 1, 2, nan]], [[0, 1, 3, nan]]], np.float32)
    said = task.combine(list(maps))
    assert said.dtype == np.float32
    assert said[0, :3].tolist() == [2, 1, 1]
    assert np.isnan(said[0, 3])  # on the letterbox's bars is no photograph
    assert np.array_equal(task.combine([maps[0]]), maps[0], equal_nan=True)


def test_tensors_of_a_fold_are_its_own(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    from assay.learning.tensors import join_folds, load_tensors
    from assay.runs.record import WEIGHTS

    for fold in (0, 1):
        save_file({"head": torch.full((2,), fold + 0.5)}, tmp_path / f"{fold}")
    join_folds({fold: tmp_path / f"{fold}" for fold in (0, 1)}, tmp_path / WEIGHTS)
    bundle = Bundle({WEIGHTS: tmp_path / WEIGHTS}, several(2).record)
    assert [load_tensors(own)["head"].tolist() for own in bundle.folds] == [[0.5] * 2, [1.5] * 2]
    with pytest.raises(ValueError, match="one of its `folds`"):
        load_tensors(bundle)
