"""The landmark task: a backbone that is frozen at first, carried weights, errors by machine, `show`."""

from __future__ import annotations

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
from tests.landmark_plans import (
    COUNT,
    EPOCHS,
    FROZEN,
    SIZE,
    TASK,
    changed,
    parameters,
    planned,
    run_in,
    state,
    whole_and_killed,
)

from assay.commands.show import command, find_row
from assay.errors import AssayError, MachineError
from assay.gates.preflight_network import judge_network
from assay.learning.determinism import reseed
from assay.learning.fit import fit
from assay.learning.schedules import Piece, after, rate, warmup_cosine
from assay.learning.summary import summary
from assay.learning.vision.scores import landmark_scores, radial_errors
from assay.lookup import find_task
from assay.manifest.storage import PixelStorage
from assay.manifest.table import write_table
from assay.systems.ceph.tasks import (
    curves,
    points,
)


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
    params = parameters(freeze_epochs=FROZEN)
    whole, killed = whole_and_killed(params, tmp_path, FROZEN)
    assert whole == killed


def test_the_preflight_takes_the_frozen_backbone_as_thawed_later() -> None:
    plan, rows = planned(parameters(freeze_epochs=FROZEN))
    checks = {check.name: check for check in judge_network(plan, rows, rows)}
    assert [name for name, check in checks.items() if not check.passed] == []
    assert checks["frozen batch norm"].checked > 0
    trained = sum(1 for _ in plan.network.parameters())
    assert checks["gradients"].checked == trained
    # Planted: the plan's freezing undone, so that the frozen statistics would move.
    plan.network.train()
    checks = {check.name: check for check in judge_network(plan, rows, rows)}
    assert not checks["frozen batch norm"].passed


def test_backbone_and_head_have_their_own_rates() -> None:
    params = parameters(freeze_epochs=2, backbone_lr=3e-4, epochs=10).train
    plan, _ = planned(parameters(freeze_epochs=2, backbone_lr=3e-4, epochs=10))
    backbone, head = plan.param_groups
    together = {id(value) for part in plan.param_groups for value in part.parameters}
    assert together == {id(value) for value in plan.network.parameters()}
    assert rate(backbone.schedule, 1.99) == 0 < rate(backbone.schedule, 2.1)
    assert rate(backbone.schedule, 3.0) == pytest.approx(params.backbone_lr)
    assert rate(head.schedule, 1.0) == pytest.approx(params.lr)
    ends = [rate(part.schedule, 10) / part.peak for part in plan.param_groups]
    assert ends == pytest.approx([params.lr_final / params.lr] * 2)


def test_without_freezing_both_have_the_one_schedule() -> None:
    plan, _ = planned(parameters())
    train = parameters().train
    expected = warmup_cosine(train.epochs, train.warmup_epochs, train.lr, train.lr_final)
    for part in plan.param_groups:
        assert part.module is None
        assert list(part.schedule) == list(expected)
    assert list(after(1, [Piece(0, 2, 1, 0)])) == [Piece(0, 1, 0, 0), Piece(1, 3, 1, 0)]


def saved(network: torch.nn.Module, path: Path) -> Path:
    save_file(network.state_dict(), path)
    return path


def build(kind: str, weights: str, seed: int, **others: Any) -> tuple[torch.nn.Module, str]:
    reseed(seed)
    return TASK.learner(parameters({"network": kind, **others})).make(weights)


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
        with pytest.raises(MachineError, match="cannot be read"):
            build(kind, str(tmp_path / "absent.safetensors"), 2)
        with pytest.raises(MachineError, match=r"a whole \.safetensors file"):
            build(kind, str(torn), 2)


def test_the_line_names_metric_and_baseline_as_people_do() -> None:
    each = {"value": 2.84, "low": 2.5, "high": 3.1}
    scores = {"mre_px": each, "mae": each, "skill": each, "groups": 30, "rows": 30}
    scores["metrics_version"] = 1
    facts = {"group_kind": "patient", "source": "phantom"}
    line = summary(TASK, scores, facts)
    assert "MRE 2.8 px [2.5, 3.1]" in line
    assert "vs mean shape ·" in line
    other = summary(find_task("hemoglobin-nail"), scores, facts)
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
    within = curves.detection_rates(errors * spacing[:, None], np.array([2.0, 4.0]))
    assert within.tolist() == pytest.approx([scores["sdr_2mm"], scores["sdr_4mm"]])
    assert np.isnan(curves.detection_rates(np.full(3, np.nan), np.array([2.0]))).all()


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
    facts = PixelStorage("ceph", "phantom", "images", rows.image.shape[1], "letterbox").facts()
    write_table(folder / "trainval.parquet", pl.DataFrame(columns), facts)
    np.save(folder / "trainval.npy", rows.image)
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
