"""Hand-named weights come in unproven: kept, listed, served to nobody, never promoted."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.conftest import TASK, Project
from torch import nn

from assay.errors import RegistryError
from assay.registry.importing import text_of
from assay.registry.tensors import read_state

CATALOGUE = """# Models

### 1. old_mae0.7.pth

- backbone: ResNet-18
- MAE: about 0.7 g/dL

---

### 2. other.pth

- nothing is known
"""


def network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 1))


class Planted:
    """Unpickling it would leave a file behind."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (self.path, "w")


def test_state_dicts_are_found_where_scripts_put_them(tmp_path: Path) -> None:
    state = network().state_dict()
    for holder in (None, "state_dict", "model"):
        file = tmp_path / f"{holder}.pth"
        torch.save(state if holder is None else {"epoch": 3, "best": 0.7, holder: state}, file)
        assert {k: v.tolist() for k, v in read_state(file).items()} == {
            k: v.tolist() for k, v in state.items()
        }


def test_weights_of_several_folds_are_no_start(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file(
        {f"fold-{fold}.0.weight": torch.ones(2) for fold in (0, 3)}, tmp_path / "a.safetensors"
    )
    with pytest.raises(RegistryError, match="several trainings: fold-0, fold-3") as refused:
        read_state(tmp_path / "a.safetensors")
    assert "train.fold=0" in refused.value.mend


def test_a_file_that_runs_code_is_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    torch.save({"state_dict": Planted(str(trace))}, tmp_path / "planted.pth")
    with pytest.raises(RegistryError, match="code and not weights"):
        read_state(tmp_path / "planted.pth")
    assert not trace.exists()


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("whole", "holds torch.nn.modules.container.Sequential, code and not weights"),
        ("cut", "cut off, or no torch file"),
        ("empty", "cut off, or no torch file"),
        ("text", "cut off, or no torch file"),
        ("optimiser", "holds epoch, optimizer"),
        ("absent", "no such file"),
    ],
)
def test_what_is_no_state_dict_is_refused_with_what_it_is(
    tmp_path: Path, name: str, found: str
) -> None:
    file = tmp_path / f"{name}.pth"
    if name == "whole":
        torch.save(network(), file)
    elif name == "optimiser":
        torch.save({"epoch": 3, "optimizer": {"lr": 0.1}}, file)
    elif name == "cut":
        torch.save(network().state_dict(), file)
        file.write_bytes(file.read_bytes()[:200])
    elif name != "absent":
        file.write_text("hello" if name == "text" else "")
    with pytest.raises(RegistryError) as refused:
        read_state(file)
    assert found in str(refused.value)
    assert file.name in str(refused.value)
    assert "state dict" in str(refused.value) or name == "absent"


def test_the_text_is_the_section_that_names_the_file(tmp_path: Path) -> None:
    catalogue = tmp_path / "MODELS.md"
    catalogue.write_text(CATALOGUE)
    text = text_of(catalogue, "old_mae0.7.pth")
    assert "about 0.7 g/dL" in text
    assert "nothing is known" not in text
    with pytest.raises(RegistryError, match=r"0 headings name third.pth"):
        text_of(catalogue, "third.pth")


def test_an_import_is_listed_under_dvc_and_never_promoted(
    finished: Project, tmp_path: Path
) -> None:
    file, catalogue = tmp_path / "old_mae0.7.pth", tmp_path / "MODELS.md"
    torch.save({"state_dict": network().state_dict()}, file)
    catalogue.write_text(CATALOGUE)
    asked = ("import", TASK, str(file), "--catalogue", str(catalogue))
    said = finished.assay(*asked)
    assert f"{TASK} v1 imported, unproven: 4 tensors, 19 weights; made for another network" in said
    assert "v1 was imported already" in finished.assay(*asked)
    assert "no candidate" in finished.assay("promote", TASK, fails=True)
    listed = finished.assay("models", TASK)
    assert "unproven: old_mae0.7.pth" in listed
    assert "MAE: about 0.7 g/dL" in listed

    [pointer] = (finished.folder / "models/imported" / TASK).glob("*.dvc")
    finished.run("git", "add", "models/imported")
    finished.commit("Import")
    pointer.with_suffix("").unlink()
    finished.dvc("checkout", str(pointer))
    assert load_file(pointer.with_suffix("")).keys() == network().state_dict().keys()

    finished.assay("register", TASK, "--note", "three epochs are too few")
    listed = finished.assay("models", TASK)
    assert f"{TASK}/v2  candidate" in listed
    assert "learned: three epochs are too few" in listed
    assert "test set: not looked at" in listed
