"""What landmark networks say beyond points: stages, and how sure they are; scores by part."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.films import films
from tests.landmark_plans import (
    COUNT,
    SIZE,
    TASK,
    parameters,
    run_in,
)

from assay.contract.bundle import read_bundle
from assay.errors import AssayError
from assay.jobs.train import train_model
from assay.learning.determinism import set_determinism
from assay.learning.inference import predict_batches
from assay.learning.scoring import score, slice_scores
from assay.learning.training_spec import PreparedTraining
from assay.manifest.rows import Rows
from assay.runs.files import read_json
from assay.sections.task import Evaluate
from assay.stages.predictions import write_predictions
from assay.systems.ceph.tasks import (
    calibration,
    landmarks_scores,
    picture,
    points,
)
from assay.tracking.paired import against_baseline
from assay.tracking.scored import read_scored

COORDINATES = {"network": "coordinates", "backbone": "test_resnet", "stages": True}


def joint(rows: Any, **train: Any) -> PreparedTraining:
    """Return the plan of points and stages from one network."""
    set_determinism(1)
    return TASK.learner(parameters(COORDINATES, **train)).prepare(rows, rows)


def some_unknown(count: int = COUNT) -> Any:
    """Return films of which every fifth has no stage."""
    rows = films(count, SIZE)
    stage = np.where(np.arange(count) % 5 == 4, np.nan, np.arange(count) % 6)
    return replace(rows, columns={**rows.columns, "cvm": stage})


def test_points_and_stages_are_learned_and_said_together(tmp_path: Path) -> None:
    rows = some_unknown()
    ready = joint(rows)
    assert ready.train.targets.shape == (COUNT, 59)
    assert np.isnan(ready.train.targets[4, -1])
    run = run_in(tmp_path)
    train_model(ready, run)
    record = read_json(run.folder / "run.json")
    assert record["model"]["outputs"] == 64
    assert {"mre_px", "mre_mm", "cvm_accuracy", "cvm_macro_f1", "cvm_within_one"} < set(
        record["chosen"]
    )
    params = parameters(COORDINATES)
    predictor = TASK.predictor(read_bundle(run.folder), params)
    said = predictor(rows)
    assert said.shape == (COUNT, 64)
    # Of a film that is served there is nothing but its picture and its size.
    served = Rows({"image": rows.image}, {name: rows.columns[name] for name in TASK.reads})
    assert np.array_equal(predictor(served), said)
    assert np.allclose(said[:, 58:].sum(axis=1), 1, atol=1e-5)
    scores = TASK.metrics(said, TASK.labels(rows))
    for name in ("mre_px", "cvm_accuracy", "cvm_macro_f1"):
        assert scores[name] == pytest.approx(record["chosen"][name], rel=1e-4)
    TASK.pictures(said, rows, tmp_path / "pictures")


def test_augmentation_moves_the_points_and_leaves_the_stage() -> None:
    ready = joint(some_unknown(), degrees=30.0)
    images, targets = (torch.from_numpy(each) for each in (ready.train.images, ready.train.targets))
    _, moved = ready.spec.transform(images, targets, training=True)
    assert torch.equal(moved[:, -1].isnan(), targets[:, -1].isnan())
    known = ~targets[:, -1].isnan()
    assert torch.equal(moved[known, -1], targets[known, -1])
    assert (moved[:, :58] - targets[:, :58]).abs().nan_to_num().max() > 1


def test_stages_beside_maps_are_refused() -> None:
    with pytest.raises(AssayError, match="stages with network coordinates alone"):
        parameters({"stages": True})


def test_maps_say_how_sure_they_are_in_px_of_the_film() -> None:
    rows, params = films(COUNT, SIZE), parameters()
    learner = TASK.learner(params)
    network, _ = learner.build(rows)
    said = predict_batches(network.eval(), partial(learner.read, network), rows.image, params.train)
    assert said.shape == (COUNT, 87)
    restored = learner.predict(network, rows)
    assert np.allclose(restored[:, 58:], 2 * said[:, 58:], rtol=1e-5)  # stored at half the size
    labels, trivial = TASK.labels(rows), TASK.baseline(rows, rows)
    own, other = TASK.metrics(restored, labels), TASK.metrics(trivial, labels)
    assert set(own) - set(other) == {"uncertainty_rank"}
    how = Evaluate(n_resamples=100, confidence_level=0.9, seed=1)
    found = score(TASK, restored, trivial, labels, rows.columns["group_id"], how)
    assert -1 <= found["uncertainty_rank"]["value"] <= 1
    with pytest.raises(ValueError, match="58 numbers a film, 64, or 87"):
        TASK.metrics(restored[:, :80], labels)


def test_doubt_that_is_the_error_ranks_perfectly_and_lies_on_the_diagonal(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    doubt = random.uniform(1, 9, (40, 29))
    errors = doubt.copy()
    errors[3, 4] = np.nan
    assert landmarks_scores.rank_correlation(doubt, errors) == pytest.approx(1)
    found = calibration.bins(doubt, errors)
    assert len(found) == calibration.BINS
    assert found[:, 1] == pytest.approx(found[:, 0])
    assert ((found[:, 2] < found[:, 1]) & (found[:, 1] < found[:, 3])).all()
    # A network that is twice as sure as it may be: above the diagonal.
    sure = calibration.bins(doubt / 2, errors)
    assert sure[:, 1] == pytest.approx(2 * sure[:, 0])
    assert np.isnan(landmarks_scores.rank_correlation(np.ones((4, 29)), errors[:4]))
    calibration.draw(doubt, errors, tmp_path / "calibration.png")
    assert (tmp_path / "calibration.png").read_bytes().startswith(b"\x89PNG")


# Parts


def test_machines_are_scored_for_themselves() -> None:
    rows = films(COUNT, SIZE)
    said = points.target(rows).reshape(COUNT, -1)
    machine = points.machine(rows)
    said[machine == "B"] += 3  # planted: one machine is worse
    how = Evaluate(n_resamples=100, confidence_level=0.9, seed=1)
    lines = slice_scores(
        TASK, said.astype(np.float32), TASK.labels(rows), rows.columns["group_id"],
        TASK.slices(rows), how,
    )  # fmt: skip
    found = {line["part"]: line for line in lines}
    assert set(found) == {"A", "B", "unknown"}
    assert found["B"]["value"] == pytest.approx(3 * 2**0.5, rel=1e-4)
    assert found["A"]["value"] == pytest.approx(0, abs=1e-4)
    assert {line["rows"] for line in lines} == {line["groups"] for line in lines} == {4}
    assert found["B"]["low"] <= found["B"]["value"] <= found["B"]["high"] + 1e-6


def test_landmarks_are_listed_with_the_readers() -> None:
    rows = films(COUNT, SIZE)
    errors = np.full((COUNT, 29), 5.0)
    errors[:, 3] = 7
    errors[0, 3] = np.nan
    spacing = np.where(np.arange(COUNT) < 6, 0.1, np.nan)
    lines = picture.landmark_table(errors, errors / 5, spacing).splitlines()
    assert lines[0] == "landmark,n,mre_px,mre_mm,readers_px,readers_mm"
    assert lines[4] == "Me,11,7.0000,0.7000,1.4000,0.1400"
    assert len(lines) == 30
    lines = picture.landmark_table(errors, errors, np.full(len(rows), np.nan)).splitlines()
    assert lines[1] == "A,12,5.0000,,5.0000,"


def test_without_any_pixel_size_nothing_is_said_in_mm() -> None:
    rows = films(COUNT, SIZE)
    rows = replace(rows, columns={**rows.columns, "spacing": np.full(COUNT, np.nan)})
    found = TASK.metrics(points.target(rows).reshape(COUNT, -1), TASK.labels(rows))
    assert not [name for name in found if name.endswith("mm")]
    assert not any(np.isnan(value) for value in found.values())


def test_one_film_with_a_pixel_size_has_a_value_and_no_interval() -> None:
    rows = films(COUNT, SIZE)
    spacing = np.where(np.arange(COUNT) == 0, 0.1, np.nan)
    rows = replace(rows, columns={**rows.columns, "spacing": spacing})
    said, labels = TASK.baseline(rows, rows), TASK.labels(rows)
    how = Evaluate(n_resamples=100, confidence_level=0.9, seed=1)
    found = score(TASK, said, said, labels, rows.columns["group_id"], how)
    assert np.isfinite(found["mre_mm"]["value"])
    assert np.isnan([found["mre_mm"][end] for end in ("low", "high")]).all()


def test_predictions_that_say_more_are_compared_on_what_both_say(tmp_path: Path) -> None:
    rows = films(COUNT, SIZE)
    labels, trivial = TASK.labels(rows), TASK.baseline(rows, rows)
    doubt = np.random.default_rng(1).uniform(1, 9, (COUNT, 29)).astype(np.float32)
    said = np.concatenate([labels[:, :58], doubt], axis=1)
    write_predictions(tmp_path, rows, said, trivial, labels)
    scored = read_scored(tmp_path / "predictions.parquet")
    assert scored.predictions.shape == (COUNT, 87)
    assert scored.baseline.shape == (COUNT, 58)
    how = Evaluate(n_resamples=100, confidence_level=0.9, seed=1)
    found = against_baseline(TASK, scored, how).differences
    assert "uncertainty_rank" not in found
    assert found["mre_px"].is_beyond_zero
    assert found["mre_px"].value < 0
