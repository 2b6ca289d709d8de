"""A training on two views and covariates: judged, trained, and read back to the same predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.plans import Head, both, errors, judge, make
from torch import Tensor, nn

from assay.learning.data import BatchDataset
from assay.learning.determinism import reseed, set_determinism
from assay.learning.fit import fit
from assay.learning.inference import predict_batches
from assay.learning.targets import Values
from assay.learning.training_spec import TrainData, TrainingSpec
from assay.manifest.parts import validation_fold
from assay.manifest.rows import Rows
from assay.runs.events import EventLog
from assay.runs.record import WEIGHTS
from assay.runs.run import Run

COUNT, SIZE = 36, 16
COVARIATES = ("age", "gender")


class Pairing(nn.Module):
    """Two views, age and gender → Hb; what was fitted on the covariates travels with the weights."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, fed: np.ndarray | None = None) -> None:
        super().__init__()
        self.nail, self.eye, self.head = Head(4), Head(4), nn.Linear(10, 1)
        nn.init.constant_(self.head.bias, 11.0)
        fed = np.zeros((1, 2), np.float32) if fed is None else fed
        self.register_buffer("mean", torch.from_numpy(fed.mean(axis=0)))
        self.register_buffer("deviation", torch.from_numpy(fed.std(axis=0) + 1e-6))

    def forward(self, inputs: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        nail, eye, covariates = inputs
        standard = (covariates - self.mean) / self.deviation
        return self.head(torch.cat([self.nail(nail), self.eye(eye), standard], dim=1))


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """Return a mapped part of two views; Hb follows the gender and the first view's grey."""
    random = np.random.default_rng(3)
    images = random.integers(0, 256, (COUNT, 2, SIZE, SIZE, 3), dtype=np.uint8)
    gender = np.arange(COUNT) % 2
    path = tmp_path_factory.mktemp("part") / "trainval.npy"
    np.save(path, images)
    mapped = np.load(path, mmap_mode="r")
    columns = {
        "age": random.uniform(20, 80, COUNT), "gender": gender.astype(float),
        "hb": 10.0 + gender + random.uniform(0, 2, COUNT), "fold": np.arange(COUNT) // 2 % 3,
        "sample_id": np.array([f"s{row}" for row in range(COUNT)]),
    }  # fmt: skip
    return Rows({"nail": mapped[:, 0], "conjunctiva": mapped[:, 1]}, columns)


def make_set(rows: Rows) -> TrainData:
    hb = rows.columns["hb"]
    targets = hb.astype(np.float32)[:, None]
    fed = rows.covariates(COVARIATES)
    return TrainData(rows.stacked, targets, hb, rows.columns["sample_id"], covariates=fed)


def planned(train: TrainData) -> TrainingSpec:
    reseed(1)
    network = Pairing(train.covariates)
    return make(network, Values(2, 25, "g/dL"), nn.SmoothL1Loss(), both)


def reader(network: nn.Module) -> Callable[..., Tensor]:
    def read(images: Tensor, covariates: Tensor) -> Tensor:
        found: Tensor = network((*both(images, False), covariates))
        return found

    return read


def predicted(network: nn.Module, spec: TrainingSpec, valid: TrainData) -> np.ndarray:
    return predict_batches(
        network.eval(), reader(network), valid.images, spec.config, valid.covariates
    )


def test_the_preflight_lets_views_and_covariates_through(rows: Rows) -> None:
    train, valid = map(make_set, validation_fold(rows, 0))
    checks = judge(planned(train), train, valid, whole=True, workers=2)
    assert [name for name, check in checks.items() if not check["passed"]] == []
    assert "train float32 (24, 2), validation float32 (12, 2)" in checks["covariates"]["found"]
    assert f"train (24, 2, {SIZE}, {SIZE}, 3)" in checks["images"]["found"]


def absent(fed: np.ndarray) -> Any:
    return np.where(np.arange(len(fed))[:, None] == 3, np.nan, fed).astype(np.float32)


@pytest.mark.parametrize(
    "planted", [absent, lambda fed: fed.astype(np.float64), lambda fed: fed[:-1], lambda fed: None],
    ids=["absent", "dtype", "rows", "none"],
)  # fmt: skip
def test_the_preflight_refuses_covariates_that_are_no_numbers_of_each_row(
    rows: Rows, planted: Any
) -> None:
    train, valid = map(make_set, validation_fold(rows, 0))
    spec = planned(train)
    assert "covariates" in judge(spec, train, replace(valid, covariates=planted(valid.covariates)))


def test_a_batch_holds_the_rows_own_covariates(rows: Rows) -> None:
    whole = make_set(rows)
    images, targets, fed = BatchDataset(whole).__getitems__([7, 2])
    assert images.shape == (2, 2, SIZE, SIZE, 3)
    assert np.array_equal(images[1, 1], rows.images["conjunctiva"][2])
    assert targets[:, 0].tolist() == rows.columns["hb"][[7, 2]].astype(np.float32).tolist()
    assert fed.tolist() == rows.covariates(COVARIATES)[[7, 2]].tolist()
    assert len(BatchDataset(replace(whole, covariates=None)).__getitems__([7, 2])) == 2


def test_a_trained_network_read_back_predicts_the_same(rows: Rows, tmp_path: Path) -> None:
    set_determinism(1)
    train, valid = map(make_set, validation_fold(rows, 0))
    run = Run("t", tmp_path, tmp_path, tmp_path, tmp_path / "r", EventLog(tmp_path / "e.jsonl"))
    run.resume.mkdir()
    spec = planned(train)
    chosen = fit(spec, train, valid, run)
    state = load_file(tmp_path / WEIGHTS)
    assert np.array_equal(state["mean"].numpy(), train.covariates.mean(axis=0))
    first, second = Pairing(), Pairing()
    for network in (first, second):
        network.load_state_dict(state)
    said = predicted(first, spec, valid)
    assert np.array_equal(said, predicted(second, spec, valid))
    assert errors(said, valid.targets)["mae"] == pytest.approx(chosen["mae"], abs=1e-6)
    # Planted: what was fitted stays behind, or another row's covariates are fed.
    second.load_state_dict({**state, "mean": torch.zeros(2)})
    assert not np.array_equal(said, predicted(second, spec, valid))
    swapped = replace(valid, covariates=valid.covariates[::-1].copy())
    assert not np.array_equal(said, predicted(first, spec, swapped))
