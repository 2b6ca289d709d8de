"""The task `spectra-bayer`: twins after the split, terms apart, averages that obey the maps."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.spectra_set import SIDE, ingest, rows_of, small_set

from assay.contract.bundle import read_bundle
from assay.errors import ParamsError
from assay.learning.module import Training
from assay.manifest.records import LazyImages
from assay.manifest.rows import Rows
from assay.params import read_params
from assay.runs.events import EventLog
from assay.runs.files import read_json
from assay.runs.record import HISTORY, WEIGHTS
from assay.runs.run import Run
from assay.systems.spectra.learning.averaging import equivariance_error
from assay.systems.spectra.learning.symmetric_copies import SymmetricCopies
from assay.systems.spectra.optics.symmetry import MAPS, SYMMETRIES
from assay.systems.spectra.tasks.bayer import Bayer
from assay.systems.spectra.tasks.bayer_learner import Structures
from assay.systems.spectra.tasks.params import BayerParams
from assay.values import typed

pytestmark = pytest.mark.numeric

ROOT = Path(__file__).parents[2]
TASK = Bayer()


def params_of(model: dict[str, Any] | None = None, **train: Any) -> BayerParams:
    """Return a small form of the section."""
    content = read_params(ROOT / "params.yaml")
    own = content[TASK.name]
    own["model"] |= {"stem": 8, "stages": [8, 16], "width": 16, "heads": 2, "layers": 1} | (
        model or {}
    )
    own["train"] |= {"epochs": 2, "batch_size": 8} | train
    return typed(content, TASK.name, TASK.params)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """Return the usable rows of the small set; they are read from files, and nobody changes them."""
    root = tmp_path_factory.mktemp("spectra")
    table, facts = ingest(small_set(root / "set"), root)
    return rows_of(table, facts, root)


def run_in(folder: Path) -> Run:
    (folder / "model").mkdir(parents=True)
    return Run(
        TASK.name, folder, folder / "model", folder / "reports", folder / "resume",
        EventLog(folder / "events.jsonl"), {"params": {}, "key": "0"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("symmetry", "each"), [("none", 1), ("rot180", 2), ("shift8", 4), ("full32", 16)]
)
def test_twins_are_the_distinct_views(rows: Rows, symmetry: str, each: int) -> None:
    made = TASK.learner(params_of(symmetry=symmetry)).prepare(rows, rows).train
    assert isinstance(rows.image, LazyImages)
    assert made.images.shape == (each * len(rows), SIDE, SIDE, 1)
    views = {
        (image.tobytes(), target.tobytes())
        for image, target in zip(made.images[:], made.targets, strict=True)
    }
    assert len(views) == each * len(rows)  # none stands twice


def test_each_view_is_its_structure_moved_and_its_spectra_permuted(rows: Rows) -> None:
    spectra = TASK.labels(rows).reshape(len(rows), 2, 2, -1)
    twins = SymmetricCopies(rows.image, spectra, SYMMETRIES["full32"])
    chosen = np.arange(len(twins))[::7]
    images, targets = twins[chosen], twins.spectra(spectra)
    for view, image in zip(chosen, images, strict=True):
        row, one = twins.rows[view], twins.maps[twins.places[view]]
        assert np.array_equal(image[..., 0], one.structures(rows.image[int(row)][..., 0]))
        assert np.array_equal(targets[view], one.spectra(spectra[row]))
    assert np.array_equal(twins[3], twins[3:4][0])
    assert np.array_equal(twins.undone(targets), spectra[twins.rows])


def test_training_logs_the_terms_apart(rows: Rows, tmp_path: Path) -> None:
    run = run_in(tmp_path / "run")
    TASK.fit(rows, rows, params_of(), run)
    with (run.folder / HISTORY).open() as stream:
        epochs = list(csv.DictReader(stream))
    for epoch in epochs:
        terms = [float(epoch[name]) for name in ("valid_mse", "valid_corr")]
        assert sum(terms) == pytest.approx(float(epoch["valid_loss"]), rel=1e-5)
        assert min(terms) > 0


def test_killed_it_goes_on_to_the_same_bytes(rows: Rows, tmp_path: Path) -> None:
    """With dropout, twins, AdamW's memory and a cosine; after the second of three epochs."""
    params = params_of(epochs=3, symmetry="shift8")
    whole, killed = run_in(tmp_path / "whole"), run_in(tmp_path / "killed")
    TASK.fit(rows, rows, params, whole)

    def die(epochs: Sequence[Mapping[str, float]]) -> None:
        if len(epochs) == 2:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        TASK.fit(rows, rows, params, replace(killed, watch=die))
    assert [each.name for each in killed.resume.glob("*.ckpt")] == ["epoch-0000.ckpt"]
    TASK.fit(rows, rows, params, killed)
    for name in (WEIGHTS, HISTORY):
        assert (killed.folder / name).read_bytes() == (whole.folder / name).read_bytes()


def errors_of(rows: Rows, folder: Path, **train: Any) -> list[float]:
    """Return the error of each of four epochs."""
    run = run_in(folder)
    TASK.fit(rows, rows, params_of(epochs=4, **train), run)
    with (run.folder / HISTORY).open() as stream:
        return [float(epoch["valid_mse"]) for epoch in csv.DictReader(stream)]


@pytest.mark.train_all
def test_mixed_precision_trains_what_full_precision_trains(rows: Rows, tmp_path: Path) -> None:
    """bf16 keeps 8 bits: each epoch's error is near that of fp32, and nearer than another seed's is.

    They are 0.3 % apart at most over four seeds and three sets of instructions, two seeds 8 % and more.
    """
    full = errors_of(rows, tmp_path / "full", precision="32-true", seed=1)
    half = errors_of(rows, tmp_path / "half", precision="bf16-mixed", seed=1)
    other = errors_of(rows, tmp_path / "other", precision="32-true", seed=2)
    assert half != full
    assert half == pytest.approx(full, rel=0.03)
    assert other != pytest.approx(full, rel=0.03)


def test_the_gradient_is_clipped(rows: Rows, tmp_path: Path, monkeypatch: Any) -> None:
    lengths: list[float] = []

    def keep(module: Training, *_: Any) -> None:
        grads = [p.grad for p in module.network.parameters() if p.grad is not None]
        lengths.append(float(torch.stack([grad.norm() for grad in grads]).norm()))

    monkeypatch.setattr(Training, "on_train_batch_end", keep)
    for number, clip in enumerate(["none", 1e-3]):
        TASK.fit(
            rows, rows, params_of(gradient_clip_val=clip, epochs=1), run_in(tmp_path / str(number))
        )
    half = len(lengths) // 2
    assert max(lengths[:half]) > 1e-2
    assert max(lengths[half:]) == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.parametrize("loss", ["mse_pearson", "weighted_smooth"])
def test_a_loss_takes_those_weights_that_it_has(loss: str) -> None:
    made = TASK.learner(params_of(loss=loss, w_mse=2.0, w_corr=0.3, w_smooth=0.4)).loss()
    assert made.w_mse == 2.0  # type: ignore[attr-defined]
    assert getattr(made, "w_corr", 0.3) == 0.3
    assert getattr(made, "w_smooth", 0.4) == 0.4


@pytest.mark.parametrize(
    "symmetry", [*(pytest.param(name, marks=pytest.mark.train_all) for name in ("rot180", "shift8")),
                 "full32"],
)  # fmt: skip
def test_an_averaged_prediction_obeys_every_map(rows: Rows, tmp_path: Path, symmetry: str) -> None:
    params, run = params_of(symmetry=symmetry, average=True, epochs=1), run_in(tmp_path / "run")
    TASK.fit(rows, rows, params, run)
    views = Structures(params.model.input_size)
    structures = views(torch.from_numpy(rows.image[:4]), False)
    bundle = read_bundle(run.folder)
    alone = TASK.learner(params_of(symmetry=symmetry, average=False)).load(bundle)
    averaged = TASK.learner(params).load(bundle)
    maps = SYMMETRIES[symmetry]  # type: ignore[index]
    assert equivariance_error(alone, structures, maps) > 1e-5
    assert equivariance_error(averaged, structures, maps) < 1e-6
    said = TASK.predictor(bundle, params)(rows)
    with torch.inference_mode():
        assert np.allclose(said[:4], averaged(structures).flatten(1).numpy(), atol=1e-6)


def test_what_the_network_sees_commutes_with_the_maps(rows: Rows) -> None:
    views = Structures(SIDE // 4)
    images = rows.image[:4]
    for one in MAPS.values():
        moved = np.ascontiguousarray(one.structures(images[..., 0]))[..., None]
        seen = views(torch.from_numpy(moved), False)
        assert torch.equal(seen, one.tensors(views(torch.from_numpy(images), False)))
    assert set(np.unique(Structures(SIDE)(torch.from_numpy(images), False))) == {-1, 1}


def test_the_founding_form_passes_the_preflight(rows: Rows, tmp_path: Path) -> None:
    """A decoder with one token has parameters that learn nothing: they are in no part of the plan."""
    model = {"memory": "pooled", "position": "none"}
    run = run_in(tmp_path / "run")
    TASK.fit(rows, rows, params_of(model, epochs=1), run)
    verdict = read_json(run.reports / "preflight.json")
    judged = {check["name"]: check["passed"] for check in verdict["checks"]}
    assert judged["gradients"]
    assert all(judged.values())
    trained = TASK.learner(params_of(model, average=False)).load(read_bundle(run.folder))
    norm = {n: p for n, p in trained.named_parameters() if ".norm2." in n}
    assert norm
    assert not any(value.requires_grad for value in norm.values())


def test_the_skill_is_r2_against_the_mean_spectrum_of_the_training_rows(rows: Rows) -> None:
    first = np.arange(len(rows)) < 20
    train, valid = rows.where(first), rows.where(~first)
    labels = TASK.labels(valid)
    said = labels + np.float32(0.01)
    own, trivial = TASK.metrics(said, labels), TASK.metrics(TASK.baseline(train, valid), labels)
    score = TASK.headline
    skill = score.skill(own[score.metric], trivial[score.metric])
    mean = TASK.labels(train).mean(axis=0)
    # G1 = G2 here, so that the three channels and the four cells differ in weight alone.
    three = [slice(0, 60), slice(90, 120)]
    error = sum(np.square(said - labels)[:, part].sum() for part in three)
    spread = sum(np.square(mean - labels)[:, part].sum() for part in three)
    assert skill == pytest.approx(1 - error / spread, rel=1e-4)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"model": {"network": "cnn_xatn"}}, "cnn_xattn, cnn_cell, cnn_gru"),
        ({"train": {"loss": "mse"}}, "mse_pearson, weighted_smooth"),
        ({"model": {"network": "cnn_gru", "memory": "tokens"}}, "memory pooled"),
        ({"model": {"input_size": 20}}, "divide"),
        ({"train": {"gradient_clip_val": 0}}, "above 0"),
    ],
)
def test_a_section_that_cannot_be_is_told(section: dict[str, Any], said: str) -> None:
    with pytest.raises(ParamsError, match=said):
        params_of(section.get("model"), **section.get("train", {}))
