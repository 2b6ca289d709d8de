"""The landmark task: a backbone that is frozen at first, carried weights, errors by machine, `show`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file
from tests.films import films

from assay import contract
from assay.commands.show import command, find_row
from assay.errors import AssayError, MachineError
from assay.gates.preflight_network import judge_network
from assay.gates.training import carry_out
from assay.learning.determinism import settle
from assay.learning.fit import fit
from assay.learning.landmarks.scores import landmark_scores, radial_errors
from assay.learning.plan import Plan, Set
from assay.learning.schedules import Piece, after, rate, warmup_cosine
from assay.learning.scoring import score, slice_scores
from assay.manifest.table import write_table
from assay.params import read_params, typed
from assay.runs.files import read_json
from assay.runs.journal import Journal
from assay.runs.record import WEIGHTS
from assay.runs.run import Run
from assay.runs.summary import summary
from assay.sections import Evaluate
from assay.stages.evaluate import write_predictions
from assay.systems.ceph.tasks import (
    calibration,
    curves,
    landmarks_fit,
    landmarks_model,
    landmarks_scores,
    picture,
    points,
)
from assay.systems.ceph.tasks.sections import LandmarkParams
from assay.tracking.paired import against_baseline, read_scored

ROOT = Path(__file__).parents[2]
NAME, SIZE, COUNT = "ceph-landmarks", 32, 12
TASK = contract.find_task(NAME)
FROZEN, EPOCHS = 2, 4
State = dict[str, torch.Tensor]


def parameters(model: Mapping[str, Any] | None = None, **train: Any) -> LandmarkParams:
    content = read_params(ROOT / "params.yaml")[NAME]
    content["model"] |= model or {}
    content["train"] |= {"epochs": EPOCHS, "warmup": 1, "batch": 4, **train}
    return typed({NAME: content}, NAME, LandmarkParams)


def planned(params: LandmarkParams) -> tuple[Plan, Set]:
    settle(1)
    rows = films(COUNT, SIZE)
    network, _ = landmarks_model.build(params.model, params.model.weights, ROOT, seed=1)
    codec = landmarks_model.make_codec(params.model, SIZE)
    plan = landmarks_fit.make_plan(TASK, network, codec, rows, params.train)
    return plan, landmarks_fit.make_set(rows)


def run_in(folder: Path) -> Run:
    (folder / "model").mkdir(parents=True, exist_ok=True)
    return Run(
        NAME, folder, folder / "model", folder / "reports", folder / "resume",
        Journal(folder / "journal.jsonl"),
    )  # fmt: skip


def state(plan: Plan) -> State:
    return {name: value.clone() for name, value in plan.network.state_dict().items()}


def changed(one: State, other: State, part: str) -> bool:
    return any(not torch.equal(one[name], other[name]) for name in one if name.startswith(part))


def test_the_backbone_stands_still_and_then_learns(tmp_path: Path) -> None:
    """Batch norm's statistics and all; the head learns in every epoch."""
    plan, rows = planned(parameters(freeze_epochs=FROZEN))
    seen = [state(plan)]

    def noting(outputs: Any, targets: Any) -> dict[str, float]:
        seen.append(state(plan))
        return plan.metrics(outputs, targets)

    fit(replace(plan, metrics=noting), rows, rows, run_in(tmp_path))
    moved = [changed(one, other, "encoder.") for one, other in pairwise(seen)]
    assert moved == [False] * FROZEN + [True] * (EPOCHS - FROZEN)
    assert all(changed(one, other, "head.") for one, other in pairwise(seen))
    statistics = [name for name in seen[0] if name.endswith("running_mean") and "encoder" in name]
    assert not torch.equal(seen[-1][statistics[0]], seen[FROZEN][statistics[0]])


def test_a_training_killed_at_the_thaw_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    params = parameters(freeze_epochs=FROZEN, resume_every=1)
    plan, rows = planned(params)
    fit(plan, rows, rows, run_in(tmp_path / "whole"))
    broken, _ = planned(params)
    epochs = []

    def dying(outputs: Any, targets: Any) -> dict[str, float]:
        epochs.append(1)
        if len(epochs) > FROZEN:
            raise KeyboardInterrupt
        return broken.metrics(outputs, targets)

    with pytest.raises((KeyboardInterrupt, SystemExit)):
        fit(replace(broken, metrics=dying), rows, rows, run_in(tmp_path / "killed"))
    again, _ = planned(params)
    fit(again, rows, rows, run_in(tmp_path / "killed"))
    one, other = (
        (tmp_path / name / "model" / WEIGHTS).read_bytes() for name in ("whole", "killed")
    )
    assert one == other


def test_the_preflight_takes_the_frozen_backbone_as_thawed_later() -> None:
    plan, rows = planned(parameters(freeze_epochs=FROZEN))
    checks = {check.name: check for check in judge_network(plan, rows)}
    assert [name for name, check in checks.items() if not check.passed] == []
    assert checks["frozen batch norm"].checked > 0
    trained = sum(1 for _ in plan.network.parameters())
    assert checks["gradients"].checked == trained
    # Planted: the plan's freezing undone, so that the frozen statistics would move.
    plan.network.train()
    checks = {check.name: check for check in judge_network(plan, rows)}
    assert not checks["frozen batch norm"].passed


def test_backbone_and_head_have_their_own_rates() -> None:
    params = parameters(freeze_epochs=2, backbone_lr=3e-4, epochs=10).train
    plan, _ = planned(parameters(freeze_epochs=2, backbone_lr=3e-4, epochs=10))
    backbone, head = plan.parts
    together = {id(value) for part in plan.parts for value in part.parameters}
    assert together == {id(value) for value in plan.network.parameters()}
    assert rate(backbone.schedule, 1.99) == 0 < rate(backbone.schedule, 2.1)
    assert rate(backbone.schedule, 3.0) == pytest.approx(params.backbone_lr)
    assert rate(head.schedule, 1.0) == pytest.approx(params.lr)
    ends = [rate(part.schedule, 10) / part.peak for part in plan.parts]
    assert ends == pytest.approx([params.lr_final / params.lr] * 2)


def test_without_freezing_both_have_the_one_schedule() -> None:
    plan, _ = planned(parameters())
    train = parameters().train
    expected = warmup_cosine(train.epochs, train.warmup, train.lr, train.lr_final)
    for part in plan.parts:
        assert part.module is None
        assert list(part.schedule) == list(expected)
    assert list(after(1, [Piece(0, 2, 1, 0)])) == [Piece(0, 1, 0, 0), Piece(1, 3, 1, 0)]


def saved(network: torch.nn.Module, path: Path) -> Path:
    save_file(network.state_dict(), path)
    return path


def build(kind: str, weights: str, seed: int, **others: Any) -> tuple[torch.nn.Module, str]:
    model = parameters({"network": kind, "weights": weights, **others}).model
    return landmarks_model.build(model, weights, ROOT, seed)


def test_what_fits_is_carried_over_and_the_rest_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = build("simple_baseline", "none", 1)[0]
    path = saved(first, tmp_path / "first.safetensors")
    network, start = build("timm_unet", str(path), 2)
    stored, own, fresh = load_file(path), network.state_dict(), build("timm_unet", "none", 2)[0]
    encoder = [name for name in own if name.startswith("encoder.")]
    assert all(torch.equal(own[name], stored[name]) for name in encoder)
    # The head has the same shape in both, but reads features of a decoder that did not come over.
    for name, value in fresh.state_dict().items():
        if not name.startswith("encoder."):
            assert torch.equal(own[name], value), name
    assert f"encoder {len(encoder)} of {len(encoder)}, decoder 0 of" in start
    assert "head 0 of 2" in start
    assert start.partition(": ")[2] in capsys.readouterr().out


def test_the_same_network_is_carried_over_whole(tmp_path: Path) -> None:
    first = build("small_unet", "none", 1)[0]
    path = saved(first, tmp_path / "first.safetensors")
    network, _ = build("small_unet", str(path), 2)
    found = network.state_dict()
    assert all(torch.equal(found[name], value) for name, value in first.state_dict().items())


def test_a_bare_backbone_is_still_taken_as_one(tmp_path: Path) -> None:
    first = build("simple_baseline", "none", 1)[0]
    path = saved(first.encoder.backbone, tmp_path / "resnet18.safetensors")
    network, start = build("simple_baseline", str(path), 2)
    assert ":" not in start
    assert not changed(
        first.encoder.backbone.state_dict(), network.encoder.backbone.state_dict(), ""
    )


def test_another_backbones_weights_are_refused(tmp_path: Path) -> None:
    path = saved(build("small_unet", "none", 1)[0], tmp_path / "small.safetensors")
    with pytest.raises(MachineError, match=r"fits encoder 0 of 120 tensors"):
        build("timm_unet", str(path), 2)
    # Half of ResNet-34's tensors are ResNet-18's by name and shape.
    path = saved(build("simple_baseline", "none", 1)[0], tmp_path / "resnet18.safetensors")
    with pytest.raises(MachineError, match=r"fits encoder \d\d+ of \d+ tensors"):
        build("simple_baseline", str(path), 2, backbone="resnet34")
    torn = tmp_path / "torn.safetensors"
    torn.write_bytes(path.read_bytes()[:1000])
    for kind in ("small_unet", "timm_unet"):
        with pytest.raises(MachineError, match="no such"):
            build(kind, str(tmp_path / "absent.safetensors"), 2)
        with pytest.raises(MachineError, match=r"a whole \.safetensors file"):
            build(kind, str(torn), 2)


def test_the_line_names_metric_and_baseline_as_people_do() -> None:
    each = {"value": 2.84, "low": 2.5, "high": 3.1}
    scores = {"mre_px": each, "mae": each, "skill": each, "groups": 30}
    facts = {"group_kind": "patient", "source": "phantom"}
    line = summary(TASK, scores, facts)
    assert "MRE 2.8 px [2.5, 3.1]" in line
    assert "vs mean shape ·" in line
    other = summary(contract.find_task("hemoglobin-nail"), scores, facts)
    assert "MAE 2.84 g/dL" in other
    assert "vs mean ·" in other


def test_errors_by_machine_and_by_distance_are_those_of_the_scores() -> None:
    rows = films(COUNT, SIZE)
    target = points.target(rows)
    said = target + np.random.default_rng(2).normal(0, 20, target.shape)
    errors = radial_errors(said, target)
    found = curves.machine_means(rows, errors)
    assert {name: count for name, (count, _) in found.items()} == {"A": 4, "B": 4, "unknown": 4}
    assert found["B"][1] == pytest.approx(np.nanmean(errors[1::3]))
    spacing = points.spacing(rows)
    scores = landmark_scores(said, target, spacing)
    within = curves.shares(errors * spacing[:, None], np.array([2.0, 4.0]))
    assert within.tolist() == pytest.approx([scores["sdr_2mm"], scores["sdr_4mm"]])
    assert np.isnan(curves.shares(np.full(3, np.nan), np.array([2.0]))).all()


def test_pictures_are_drawn_also_where_no_machine_and_no_spacing_is_known(tmp_path: Path) -> None:
    rows = films(3, SIZE)
    unknown = {"spacing": np.full(3, np.nan), "machine": np.array([None] * 3, dtype=object)}
    rows = replace(rows, columns={**rows.columns, **unknown})
    TASK.pictures(points.target(rows).reshape(3, -1).astype(np.float32), rows, tmp_path)
    names = {"overlays.png", "landmarks.png", "machines.png", "detection.png"}
    assert {path.name for path in tmp_path.glob("*.png")} == names


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a root with three films of training, and the name of a fourth, which is sealed."""
    rows, folder = films(3, SIZE), tmp_path / "data" / "ceph"
    folder.mkdir(parents=True)
    (tmp_path / ".dvc").mkdir()
    columns = {
        name: pl.Series(column, dtype=pl.Array(pl.Float64, column.shape[1:]))
        if column.ndim > 1
        else pl.Series(column.tolist())
        for name, column in rows.columns.items()
    }
    write_table(folder / "trainval.parquet", pl.DataFrame(columns), {})
    np.save(folder / "trainval.npy", rows.images)
    ids = [*rows.columns["sample_id"], "film009"]
    splits = {"sample_id": ids, "split": ["trainval"] * 3 + ["test"], "fold": [0, 1, 2, -1]}
    write_table(folder / "splits.parquet", pl.DataFrame(splits), {})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_film_is_shown_with_its_row(project: Path) -> None:
    done = CliRunner().invoke(command, ["ceph", "film001"], catch_exceptions=False)
    assert done.exit_code == 0
    assert "29 of 29 points" in done.output
    assert "B" in done.output
    picture = project / ".assay" / "show" / "ceph" / "film001.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    shown = CliRunner().invoke(command, ["ceph", "film000", "-o", "a.png"], catch_exceptions=False)
    assert "28 of 29 points" in shown.output
    assert (project / "a.png").exists()


def test_a_sealed_film_is_refused_and_an_unknown_one_gets_neighbours(project: Path) -> None:
    with pytest.raises(AssayError, match="sealed test set"):
        find_row("ceph", "film009")
    with pytest.raises(AssayError, match=r"no such sample[\s\S]*film00"):
        find_row("ceph", "film02")
    assert not (project / ".assay").exists()


# What else a network says: stages, and how sure it is


COORDINATES = {"network": "coordinates", "backbone": "test_resnet", "stages": True}


def joint(rows: Any, **train: Any) -> tuple[Plan, Set]:
    """Return the plan of points and stages from one network."""
    settle(1)
    params = parameters(COORDINATES, **train)
    network, _ = landmarks_model.build(params.model, "none", ROOT, seed=1)
    codec = landmarks_model.make_codec(params.model, SIZE)
    plan = landmarks_fit.make_plan(TASK, network, codec, rows, params.train)
    return plan, landmarks_fit.make_set(rows, stages=True)


def some_unknown(count: int = COUNT) -> Any:
    """Return films of which every fifth has no stage."""
    rows = films(count, SIZE)
    stage = np.where(np.arange(count) % 5 == 4, np.nan, np.arange(count) % 6)
    return replace(rows, columns={**rows.columns, "cvm": stage})


def test_points_and_stages_are_learned_and_said_together(tmp_path: Path) -> None:
    rows = some_unknown()
    plan, learns = joint(rows)
    assert learns.targets.shape == (COUNT, 59)
    assert np.isnan(learns.targets[4, -1])
    run = run_in(tmp_path)
    carry_out(plan, learns, learns, run, "none")
    record = read_json(run.folder / "run.json")
    assert record["model"]["outputs"] == 64
    assert {"mre_px", "mre_mm", "cvm_accuracy", "cvm_macro_f1", "cvm_within_one"} < set(
        record["chosen"]
    )
    params = parameters(COORDINATES)
    said = TASK.predictor(run.folder / WEIGHTS, params)(rows.images)
    assert said.shape == (COUNT, 64)
    assert np.allclose(said[:, 58:].sum(axis=1), 1, atol=1e-5)
    scores = TASK.metrics(TASK.restore(said, rows), TASK.labels(rows))
    for name in ("mre_px", "cvm_accuracy", "cvm_macro_f1"):
        assert scores[name] == pytest.approx(record["chosen"][name], rel=1e-4)
    TASK.pictures(said, rows, tmp_path / "pictures")


def test_augmentation_moves_the_points_and_leaves_the_stage() -> None:
    plan, rows = joint(some_unknown(), rotation=30.0)
    images, targets = (torch.from_numpy(each) for each in (rows.images, rows.targets))
    _, moved = plan.views(images, targets, True)
    assert torch.equal(moved[:, -1].isnan(), targets[:, -1].isnan())
    known = ~targets[:, -1].isnan()
    assert torch.equal(moved[known, -1], targets[known, -1])
    assert (moved[:, :58] - targets[:, :58]).abs().nan_to_num().max() > 1


def test_stages_beside_maps_are_refused() -> None:
    with pytest.raises(AssayError, match="stages with network coordinates alone"):
        parameters({"stages": True})


def test_maps_say_how_sure_they_are_in_px_of_the_film() -> None:
    rows, params = films(COUNT, SIZE), parameters()
    network, _ = landmarks_model.build(params.model, "none", ROOT, seed=1)
    said = landmarks_model.predict(network.eval(), params.model, rows.images, 4, 1)
    assert said.shape == (COUNT, 87)
    restored = TASK.restore(said, rows)
    assert np.allclose(restored[:, 58:], 2 * said[:, 58:], rtol=1e-5)  # stored at half the size
    labels, trivial = TASK.labels(rows), TASK.baseline(rows, rows)
    own, other = TASK.metrics(restored, labels), TASK.metrics(trivial, labels)
    assert set(own) - set(other) == {"uncertainty_rank"}
    how = Evaluate(resamples=100, confidence=0.9, seed=1)
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
    how = Evaluate(resamples=100, confidence=0.9, seed=1)
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


def test_one_film_with_a_pixel_size_has_an_interval_of_those_draws_that_have_it() -> None:
    rows = films(COUNT, SIZE)
    spacing = np.where(np.arange(COUNT) == 0, 0.1, np.nan)
    rows = replace(rows, columns={**rows.columns, "spacing": spacing})
    said, labels = TASK.baseline(rows, rows), TASK.labels(rows)
    how = Evaluate(resamples=100, confidence=0.9, seed=1)
    found = score(TASK, said, said, labels, rows.columns["group_id"], how)
    assert np.isfinite([found["mre_mm"][end] for end in ("value", "low", "high")]).all()


def test_predictions_that_say_more_are_compared_on_what_both_say(tmp_path: Path) -> None:
    rows = films(COUNT, SIZE)
    labels, trivial = TASK.labels(rows), TASK.baseline(rows, rows)
    doubt = np.random.default_rng(1).uniform(1, 9, (COUNT, 29)).astype(np.float32)
    said = np.concatenate([labels[:, :58], doubt], axis=1)
    path = tmp_path / "predictions.csv"
    write_predictions(path, rows, said, trivial, labels)
    scored = read_scored(path)
    assert scored.predictions.shape == (COUNT, 87)
    assert scored.baseline.shape == (COUNT, 58)
    how = Evaluate(resamples=100, confidence=0.9, seed=1)
    found = against_baseline(TASK, scored, how).differences
    assert "uncertainty_rank" not in found
    assert found["mre_px"].is_beyond_zero
    assert found["mre_px"].value < 0
