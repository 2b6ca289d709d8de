"""A recipe is checked before anything runs, says what DVC reads, and its plan makes a step."""

from __future__ import annotations

import math
import shlex
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from dvc.utils.hydra import apply_overrides, to_hydra_overrides
from tests.films import films

from assay.commands.run import command, read_recipe, written
from assay.errors import AssayError, ParamsError
from assay.learning.backbone import NONE
from assay.learning.data import BatchDataset
from assay.learning.determinism import reseed, set_determinism
from assay.learning.module import Training
from assay.learning.schedules import rate
from assay.lookup import find_task
from assay.params import read_params
from assay.params_check import laid_over
from assay.value_faults import PARAMS_FILE
from assay.values import on_machine, typed, undotted

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "recipes").glob("*/*.yaml"))
TASK = "ceph-landmarks"
LANDMARKS = [path for path in RECIPES if path.parent.name == TASK]
PLAIN = f"{TASK}/heatmap_resnet50_256"
EPOCHS = f"{TASK}.train.epochs"
SIZE = 64


@pytest.fixture(autouse=True)
def without_the_toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """`params.yaml` has no section of the example."""
    import assay.systems

    monkeypatch.setattr(assay.systems, "__path__", assay.systems.__path__[:1])


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a root with the parameters and the recipes, and stand in it."""
    (tmp_path / ".dvc").mkdir()
    shutil.copy(ROOT / PARAMS_FILE, tmp_path)
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def says(*arguments: str) -> list[str]:
    """Return the printed command's words."""
    done = CliRunner().invoke(command, [*arguments, "--print"], catch_exceptions=False)
    assert done.exit_code == 0
    return shlex.split(done.output)


def overrides(words: list[str]) -> list[str]:
    return [word for before, word in pairwise(words) if before == "-S"]


def refused(project: Path, *lines: str) -> str:
    path = project / "recipes" / TASK / "planted.yaml"
    path.write_text("# Planted.\n" + "\n".join(lines) + "\n")
    with pytest.raises(ParamsError) as caught:
        read_recipe(project, path)
    return caught.value.render()


def test_the_landmark_recipes_are_there() -> None:
    assert {path.stem for path in LANDMARKS} >= {
        "heatmap_resnet50_256", "heatmap_resnet50_512", "heatmap_resnet50_512_sigma4",
        "heatmap_resnet50_512_weakaug", "unet_resnet50_512", "unet_resnet50_512_transfer",
        "coordinates_resnet18_256", "multitask_resnet18_256",
    }  # fmt: skip


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_dvc_reads_from_the_command_what_the_recipe_says(project: Path, path: Path) -> None:
    path = project / path.relative_to(ROOT)
    chosen = read_recipe(project, path)
    words = says(f"{path.parent.name}/{path.stem}", "--temp")
    assert words[:6] == ["dvc", "exp", "run", "--temp", "-n", path.stem]
    assert words[-1] == f"evaluate@{path.parent.name}"
    params = project / PARAMS_FILE
    expected = laid_over(read_params(params), chosen)
    apply_overrides(params, overrides(words))
    assert read_params(params) == expected
    assert path.read_text().startswith("# ")


def test_values_survive_hydras_grammar() -> None:
    values = [
        True, False, 3, 0.1, 1e-5, "none", "dark", "a/b-c.d", "with space", "it's", "1", "1e3", "",
        "null", "True", "a,b", "[x]", "/abs/path", "s3://bucket/x", [0.95, 1.05], ["a", "b c"],
        [[1, 2], []], "back\\slash", "end\\", "a\\'b",
    ]  # fmt: skip
    for value in values:
        [parsed] = to_hydra_overrides([f"a.b={written(value)}"])
        assert parsed.value() == value, written(value)
        assert type(parsed.value()) is type(value)


def test_own_settings_come_last_and_make_another_experiment(project: Path) -> None:
    words = says(PLAIN, "-S", f"{EPOCHS}=30")
    assert overrides(words)[-1] == f"{EPOCHS}=30"
    assert words[words.index("-n") + 1].startswith("heatmap_resnet50_256-")
    apply_overrides(project / PARAMS_FILE, overrides(words))
    assert undotted(read_params(project / PARAMS_FILE), EPOCHS) == 30
    assert "mine" in says(PLAIN, "-n", "mine", "-S", f"{EPOCHS}=30")


def test_what_a_task_leaves_to_the_machine_is_added(project: Path) -> None:
    """DVC's `-S` changes what stands in the file; `++` adds what does not."""
    words = says(PLAIN, "-S", f"{TASK}.train.threads=2", "-S", "machine.device=cuda")
    assert overrides(words)[-2:] == [f"++{TASK}.train.threads=2", "machine.device=cuda"]
    apply_overrides(project / PARAMS_FILE, overrides(words))
    content = read_params(project / PARAMS_FILE)
    train = typed(content, TASK, find_task(TASK).params).train
    assert (train.device, train.threads) == ("cuda", 2)
    assert "did you mean machine.device?" in refused(project, "machine.devise: cuda")


def test_all_are_listed_with_their_first_line(project: Path) -> None:
    lines = CliRunner().invoke(command, []).output.splitlines()
    assert len(lines) == len(RECIPES)
    [line] = [line for line in lines if line.startswith(f"{PLAIN} ")]
    assert line.endswith("the head first, then all layers.")


def test_what_does_not_fit_is_told_before_anything_runs(project: Path) -> None:
    text = refused(project, f"{TASK}.train.epoch: 3")
    assert f"recipes/{TASK}/planted.yaml · {TASK}.train.epoch: no such parameter" in text
    assert f"did you mean {EPOCHS}?" in text
    text = refused(project, f"{EPOCHS}: ten", f"{TASK}.model.sigma: -1")
    assert "found 'ten'" in text
    assert "valid integer" in text
    assert "greater than 0" in text
    text = refused(project, f"{EPOCHS}: 10", f"{TASK}.train.freeze_epochs: 9")
    assert "freeze_epochs 9 + warmup_epochs 1 below epochs 10" in text
    assert "stride 4, but ceph.ingest.size is 126" in refused(project, "ceph.ingest.size: 126")
    text = refused(
        project, f"{TASK}.model.network: small_unet", f"{TASK}.model.weights: pretrained"
    )
    assert "nobody publishes any of the small U-Net" in text


def test_misspelt_names_and_settings_are_told(project: Path) -> None:
    with pytest.raises(AssayError, match=f"did you mean {PLAIN}"):
        says(f"{TASK}/heatmap_resnet_256")
    with pytest.raises(AssayError, match=f"did you mean {EPOCHS}"):
        says(PLAIN, "-S", f"{TASK}.train.epoch=3")


def parameters(path: Path) -> Any:
    content = laid_over(read_params(ROOT / PARAMS_FILE), read_recipe(ROOT, path))
    content[TASK]["model"]["weights"] = NONE
    content[TASK]["train"]["batch_size"] = 2
    return typed(content, TASK, find_task(TASK).params)


@pytest.mark.parametrize("path", LANDMARKS, ids=lambda path: path.stem)
def test_its_plan_makes_a_step(path: Path) -> None:
    """At 64 px, from scratch: the network, loss, augmentation and parts are the recipe's."""
    params, rows = parameters(path), films(2, SIZE)
    set_determinism(1)
    ready = find_task(TASK).learner(params).prepare(rows, rows)
    plan, network = ready.spec, ready.spec.network
    module = Training(plan, rows=2)
    optimizer = module.configure_optimizers()["optimizer"]
    for part, group in zip(plan.param_groups, optimizer.param_groups, strict=True):
        group["lr"] = part.peak if part.module is None else 0.0
    before = {name: value.clone() for name, value in network.state_dict().items()}
    reseed(1)
    batch = BatchDataset(ready.train).__getitems__([0, 1])
    loss = module.training_step(batch, 0)
    loss.backward()
    optimizer.step()
    assert math.isfinite(loss.item())
    moved = {
        name for name, value in network.state_dict().items() if not torch.equal(value, before[name])
    }
    slow = "backbone." if params.model.network == "coordinates" else "encoder."
    assert any(name.startswith("head.") for name in moved)
    assert any(name.startswith("classifier.") for name in moved) == params.model.stages
    assert any(name.startswith(slow) for name in moved) == (params.train.freeze_epochs == 0)


FUSION = "hemoglobin-fusion"
# Of the specification, by phase: epoch → rate of the head, of the last stages.
RATES = {
    1: [(0, 0, 0), (2.5, 2.5e-4, 0), (5, 5e-4, 0), (10, None, 1e-4), (60, 5e-6, 1e-6)],
    2: [(0, 0, 0), (5, 2.5e-4, 0), (10, 5e-4, 0), (19.9, 5e-4, 0), (20, 3e-4, 5e-5), (80, 3e-6, 5e-7)],
}  # fmt: skip


def fusion_seed() -> Any:
    path = ROOT / "recipes" / FUSION / "fusion_seed.yaml"
    content = laid_over(read_params(ROOT / PARAMS_FILE), read_recipe(ROOT, path))
    assert content["hemoglobin"]["fusion"]["ingest"]["size"] == 224
    return on_machine(content[FUSION], content)


@pytest.mark.parametrize("phase", [1, 2])
def test_the_fusions_rates_are_the_specifications(phase: int) -> None:
    from assay.systems.hemoglobin.tasks.fusion_grid import member_params
    from assay.systems.hemoglobin.tasks.fusion_schedules import backbone_schedule, head_schedule

    sections = find_task(FUSION).configurations(fusion_seed()).values()
    hows = [each.train for each in map(member_params, sections) if each.model.phase == phase]
    for epoch, head, backbone in RATES[phase]:
        for how in hows:
            if head is not None:
                assert rate(head_schedule(how), epoch) == pytest.approx(head)
            assert rate(backbone_schedule(how), epoch) == pytest.approx(backbone)


def test_the_fusions_grid_is_the_specifications() -> None:
    """250 trainings a phase, of the founding ten; half a batch where rexnetr_300 takes part."""
    section, known = fusion_seed(), (ROOT / "recipes/hemoglobin/backbones.txt").read_text().split()
    own = find_task(FUSION).configurations(section)
    assert len(own) == 5 * 5 * 2 * 2
    assert set(section["model"]["nail"] + section["model"]["conjunctiva"]) <= set(known)
    begins = [
        ("rexnetr_300", "convnext_base", "resnetaa101d", "convnext_small", "efficientnet_b5"),
        ("efficientnet_b5", "rexnetr_300", "convnext_small", "regnety_120", "coatnet_rmlp_2"),
    ]
    for view, names in zip(("nail", "conjunctiva"), begins, strict=True):
        found = zip(section["model"][view], names, strict=True)
        assert all(name.startswith(begin) for name, begin in found)
    for name, each in own.items():
        assert each["train"]["batch_size"] == (64 if "rexnetr_300" in name else 128)
        assert each["model"]["weights"] == "single"
