"""The best single-modality trainings as first weights of the fusion: which they are, and their notes."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import timm
import torch
from click.testing import CliRunner, Result
from dvc.utils.hydra import apply_overrides
from safetensors.torch import load_file, save_file

from assay.__main__ import cli
from assay.jobs.job import Job
from assay.jobs.store import JobStore
from assay.learning.backbone import build_backbone
from assay.manifest.layout import Layout
from assay.manifest.table import write_table
from assay.params import read_params
from assay.registry.best_weights import rank_backbones
from assay.runs.files import file_digest, write_json

ROOT = Path(__file__).parents[2]
FUSION = "hemoglobin-fusion"
TASKS = ("hemoglobin-nail", "hemoglobin-conjunctiva")
NAIL = TASKS[0]
START = Path("models/start") / FUSION
SPLIT = "of these people"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository with parameters and splits, and stand in it."""
    for name in ("params.yaml", "search.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    for task in TASKS:
        table = tmp_path / Layout(task.replace("-", ".")).trainval
        write_table(table, pl.DataFrame({"fold": [0]}), {"split_digest": SPLIT})
    for line in ("git init -q", "dvc init -q"):
        subprocess.run(shlex.split(line), cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def trained(
    root: Path, backbone: str, mae: float, r2: float = 0.5, task: str = NAIL, split: str = SPLIT,
    **train: Any,
) -> Path:  # fmt: skip
    """Leave a finished job; return its weights. What is of equal values is one job."""
    own = {"model": {"backbone": backbone}, "train": {"fold": 0, "epochs": 1, "lr": mae, **train}}
    job, store = Job(task, {task: own}, {"data": split}), JobStore(root)
    store.enter(job)
    half = store.half(job)
    half.mkdir(parents=True)
    chosen = {"epoch": 0, "mae": mae, "r2": r2, "acc_0.5": 0.1, "acc_1.0": 0.2, "valid_loss": 1.0}
    record = {
        "params": job.params,
        "key": job.key,
        "chosen": chosen,
        "data": {"split_digest": split},
    }
    write_json(half / "run.json", record)
    save_file(
        {"backbone.a": torch.tensor([mae]), "head.b": torch.ones(1)}, half / "weights.safetensors"
    )
    store.put(job, half)
    return store.folder(job) / "result" / "weights.safetensors"


def asked(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["weights", FUSION, *arguments])


def ranked(root: Path, count: int = 5) -> list[str]:
    return [each.backbone for each in rank_backbones(root, NAIL, count).listed]


def test_of_each_backbone_the_best_training_by_the_epoch_rule(checkout: Path) -> None:
    trained(checkout, "c", 0.9)
    trained(checkout, "c", 0.6)
    trained(checkout, "b", 0.7)
    trained(checkout, "a", 0.5, r2=-0.1)  # the lowest error, and worse than the mean
    found = rank_backbones(checkout, NAIL, 2)
    assert [(each.backbone, each.chosen["mae"]) for each in found.listed] == [
        ("c", 0.6),
        ("b", 0.7),
    ]
    assert (found.view, found.fold, found.backbones, found.trainings) == ("nail", 0, 3, 4)


def test_what_is_not_comparable_does_not_count(checkout: Path) -> None:
    trained(checkout, "a", 0.9)
    trained(checkout, "b", 0.8)
    trained(checkout, "other people", 0.1, split="of others")
    trained(checkout, "other rows", 0.1, fold=1)
    trained(checkout, "other task", 0.1, task=TASKS[1])
    damaged = trained(checkout, "damaged", 0.1)
    damaged.write_bytes(b"")
    assert ranked(checkout) == ["b", "a"]


def test_they_are_put_under_dvc_with_where_they_are_from(checkout: Path) -> None:
    files = {}
    for task in TASKS:
        for place in range(3):
            mae = 0.5 + place / 10
            files[task, place] = trained(checkout, f"n{place}.in12k", mae, task=task)
    done = asked("--best", "2", *TASKS)
    assert done.exit_code == 0, done.output
    for task, view in zip(TASKS, ("nail", "conjunctiva"), strict=True):
        names = sorted(path.name for path in START.glob(f"{view}-*.safetensors"))
        assert names == [f"{view}-n0.in12k.safetensors", f"{view}-n1.in12k.safetensors"]
        path = START / names[1]
        assert path.with_name(f"{path.name}.dvc").exists()
        assert load_file(path).keys() == {"backbone.a", "head.b"}
        note = json.loads(path.with_suffix(".json").read_text())
        assert note["md5"] == file_digest(files[task, 1])
        assert (note["task"], note["rank"], note["chosen"]["mae"]) == (task, 2, 0.6)
        assert note["job"] == files[task, 1].parents[1].name
        assert note["compared"] == {"backbones": 3, "trainings": 3, "fold": 0}
    line = done.output.partition("start from it: ")[2]
    assert shlex.split(line)[:3] == ["dvc", "exp", "run"]
    apply_overrides(checkout / "params.yaml", shlex.split(line)[4::2])
    model = read_params(checkout / "params.yaml")[FUSION]["model"]
    assert model["weights"] == "single"
    assert model["nail"] == model["conjunctiva"] == ["n0.in12k", "n1.in12k"]


def test_a_training_starts_from_what_was_put(checkout: Path) -> None:
    weights = trained(checkout, "test_resnet", 0.5)
    state = timm.create_model("test_resnet", num_classes=0).state_dict()
    folder = weights.parent
    save_file({f"backbone.{name}": each + 1 for name, each in state.items()}, weights)
    listed = json.loads((folder / "files.json").read_text())
    write_json(folder / "files.json", {**listed, weights.name: file_digest(weights)})
    assert asked("--best", "1", NAIL).exit_code == 0
    network, _ = build_backbone("test_resnet", str(START / "nail-test_resnet.safetensors"), Path())
    assert all(torch.equal(own, state[name] + 1) for name, own in network.state_dict().items())


def test_fewer_are_told_and_none_is_an_error(checkout: Path) -> None:
    trained(checkout, "a", 0.5)
    assert "hemoglobin-nail: 1 backbones, fewer than 5" in asked("--best", "5", NAIL).output
    done = asked("--best", "5", *TASKS)
    assert "assay sweep hemoglobin-conjunctiva model.backbone" in str(done.exception)
    assert not list(START.glob("conjunctiva-*"))


def test_what_is_no_view_of_the_fusion_is_told(checkout: Path) -> None:
    for name, said in (
        ("ceph-cvm", "hemoglobin-fusion.model has no list 'cvm'"),
        (FUSION, "hemoglobin-fusion.model has no list 'fusion'"),
        ("hemoglobin-nails", "no such task"),
    ):
        assert said in str(asked("--best", "5", name).exception)
    refused = CliRunner().invoke(cli, ["weights", NAIL, "--best", "5", TASKS[1]])
    assert "hemoglobin-nail.model has no list 'conjunctiva'" in str(refused.exception)
