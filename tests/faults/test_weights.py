"""Weights that a training starts from: declared, kept, told; each way in which they were not, planted."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from tests.conftest import TASK, Project
from torch import nn

from assay.errors import MachineError
from assay.learning.backbone import build_backbone
from assay.learning.transfer import carry_over, holds_network
from assay.registry.commit_artifacts import CommitArtifacts
from assay.registry.tensors import unwrapped

BACKBONE, KEY = "test_resnet", f"{TASK}.model.weights"
FILE = f"models/start/{TASK}/old.safetensors"


def backbone(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    made: nn.Module = timm.create_model(BACKBONE, num_classes=0)
    return made


def ran(said: str) -> list[str]:
    return re.findall(r"Running stage '(.+)'", said)


@pytest.fixture
def started(finished: Project, tmp_path: Path) -> Project:
    """Return a project whose training starts from a file, as a script with DataParallel left it."""
    state = {f"module.{name}": tensor for name, tensor in backbone(1).state_dict().items()}
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "old.pth")
    said = finished.assay("weights", TASK, str(tmp_path / "old.pth"))
    assert f"{FILE}: {len(state)} tensors; 'module.' taken off every name" in said
    finished.set(**{KEY: "old.safetensors"})
    finished.dvc("repro")
    for line in re.findall(r"commit it: (.+)", said):
        finished.run("sh", "-c", line)
    finished.commit("Start from an old model")
    return finished


def test_another_file_under_the_same_name_retrains(started: Project, tmp_path: Path) -> None:
    first = started.json(f"models/{TASK}/run.json")
    assert ran(started.dvc("repro")) == []
    save_file(backbone(2).state_dict(), tmp_path / "old.safetensors")
    started.assay("weights", TASK, str(tmp_path / "old.safetensors"))
    assert ran(started.dvc("repro")) == [f"train@{TASK}", f"evaluate@{TASK}"]
    second = started.json(f"models/{TASK}/run.json")
    assert first["key"] != second["key"]
    assert first["model"]["first_weights"] != second["model"]["first_weights"]
    assert started.json(FILE.replace(".safetensors", ".json"))["file"] == "old.safetensors"


def test_a_clone_with_the_cache_has_what_it_needs(started: Project, tmp_path: Path) -> None:
    before = started.bytes_of(f"models/{TASK}")
    started.run("git", "clone", "-q", str(started.folder), str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone")
    clone.dvc("cache", "dir", "--local", str(started.folder / ".dvc/cache"))
    clone.dvc("checkout")
    assert load_file(clone.folder / FILE)
    assert "up to date" in clone.dvc("status")
    clone.dvc("repro", "-f", "-s", f"train@{TASK}")
    assert clone.bytes_of(f"models/{TASK}") == before


def test_the_door_finds_them_in_the_commit_and_sees_others(started: Project) -> None:
    head = started.run("git", "rev-parse", "HEAD").strip()
    assert CommitArtifacts(started.folder, head).deviations(f"evaluate@{TASK}") == []
    dvc = started.folder / f"{FILE}.dvc"
    dvc.write_text(re.sub(r"md5: \w{32}", f"md5: {'f' * 32}", dvc.read_text()))
    other = started.commit("Name other weights")
    found = CommitArtifacts(started.folder, other).deviations(f"evaluate@{TASK}")
    assert f"train@{TASK} · models/start/{TASK}" in found


@pytest.mark.dvc
def test_what_no_clone_could_have_is_refused(finished: Project) -> None:
    save_file(backbone(1).state_dict(), finished.folder / FILE)
    asked = ("dvc", "exp", "run", "-S", f"{KEY}=old.safetensors")
    said = finished.run(*asked, fails=True)
    assert f"{FILE} is not under DVC" in said
    assert f"mend: dvc add {FILE}" in said
    finished.run("dvc", "add", FILE)
    finished.run(*asked)
    assert finished.json(f"models/{TASK}/run.json")["model"]["first_weights"] != "none"


def damage(path: Path, kind: str) -> None:
    """Leave the file in a state in which people hand such files on."""
    state = backbone(1).state_dict()
    if kind == "cut":
        save_file(state, path)
        path.write_bytes(path.read_bytes()[:900])
    elif kind == "text":
        path.write_text("hello")
    elif kind == "pickled":
        torch.save(state, path)
    elif kind == "foreign":
        save_file({"fc.weight": torch.zeros(3, 3)}, path)
    elif kind == "shape":
        save_file({name: torch.zeros(1) for name in state}, path)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("cut", "cannot be read"), ("text", "cannot be read"), ("pickled", "cannot be read"),
        ("absent", "cannot be read"), ("foreign", "holds 0 of"), ("shape", r"is of shape \(1,\)"),
    ],
)  # fmt: skip
def test_what_a_training_cannot_start_from_is_told_in_one_line(
    tmp_path: Path, kind: str, said: str
) -> None:
    path = tmp_path / "first.safetensors"
    damage(path, kind)
    with pytest.raises(MachineError, match=said) as told:
        build_backbone(BACKBONE, path.name, tmp_path)
    assert "assay weights <task> <file>" in told.value.render()
    if kind in ("cut", "text", "pickled"):
        with pytest.raises(MachineError, match="cannot be read"):
            holds_network(path)
    if kind not in ("shape", "foreign"):
        with pytest.raises(MachineError, match="cannot be read"):
            carry_over(nn.Sequential(backbone(1)), path)


@pytest.mark.parametrize("kind", ["cut", "text", "absent"])
def test_nor_is_such_a_file_put_in_place(finished: Project, tmp_path: Path, kind: str) -> None:
    for ending in ("safetensors", "pth"):
        path = tmp_path / f"first.{ending}"
        damage(path, kind)
        said = finished.assay("weights", TASK, str(path), fails=True)
        assert f"error: {path}: " in said
        assert "Traceback" not in said
    assert not list((finished.folder / "models/start").rglob("*.safetensors"))


def test_what_a_name_or_safetensors_cannot_hold_is_told(finished: Project, tmp_path: Path) -> None:
    state = backbone(1).state_dict()
    odd = {
        "empty": {}, "sparse": {"a": torch.eye(3).to_sparse()},
        "twice": {1: torch.ones(1), "1": torch.ones(1)},
    }  # fmt: skip
    for name, content in odd.items():
        torch.save(content, tmp_path / f"{name}.pth")
        said = finished.assay("weights", TASK, str(tmp_path / f"{name}.pth"), fails=True)
        assert f"error: {tmp_path / name}.pth: holds" in said or "no plain tensor" in said
        assert "Traceback" not in said
    torch.save(state, tmp_path / "my net, v2 (best).pth")
    said = finished.assay("weights", TASK, str(tmp_path / "my net, v2 (best).pth"))
    assert f"-S {KEY}=my-net-v2-best-.safetensors" in said
    torch.save(backbone(2).state_dict(), tmp_path / "my net, v2 (best).pth")
    said = finished.assay("weights", TASK, str(tmp_path / "my net, v2 (best).pth"))
    assert "in place of others" in said
    said = finished.assay("weights", TASK, str(tmp_path), fails=True)
    assert f"error: {tmp_path}: a folder" in said
    said = finished.assay("weights", TASK, "resnet18.nonsense", fails=True)
    assert "timm's hub has no weights of that name" in said


def test_wrappers_are_taken_off_where_all_names_have_them() -> None:
    tensor = torch.zeros(1)
    assert unwrapped({"module.model.a": tensor, "module.model.b": tensor})[1] == "module.model."
    found, before = unwrapped({"model.a": tensor, "head.b": tensor})
    assert (set(found), before) == ({"model.a", "head.b"}, "")


def test_weights_of_the_hub_are_noted_with_their_commit(finished: Project, tmp_path: Path) -> None:
    """From the hub's own cache on this machine, laid out as its client lays it out."""
    commit, repository = "a" * 40, tmp_path / "hub" / "models--timm--resnet10t.c3_in1k"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    file = repository / "snapshots" / commit / "model.safetensors"
    file.parent.mkdir(parents=True)
    save_file(timm.create_model("resnet10t", num_classes=0).state_dict(), file)
    own = {"HF_HUB_CACHE": str(tmp_path / "hub"), "HF_ENDPOINT": "http://127.0.0.1:9"}
    said = finished.run(
        "python", "-m", "assay", "weights", TASK, "resnet10t.c3_in1k", PYTHONPATH="src", **own
    )
    name = f"models/start/{TASK}/resnet10t.c3_in1k"
    assert f"{name}.safetensors: " in said
    note = finished.json(f"{name}.json")
    assert (note["hub"], note["revision"]) == ("timm/resnet10t.c3_in1k", commit)
    assert (
        note["md5"]
        in subprocess.run(["md5sum", file], capture_output=True, text=True, check=True).stdout
    )
    said = finished.run(
        "python",
        "-m",
        "assay",
        "weights",
        TASK,
        "resnet18.a1_in1k",
        PYTHONPATH="src",
        fails=True,
        **own,
    )
    assert "timm/resnet18.a1_in1k @ main: not on this machine, and the hub does not give it" in said
    assert "Traceback" not in said
    said = finished.assay("weights", TASK, "resnet1018", fails=True)
    assert "timm's hub has no weights of that name" in said
