"""Fusion's rates and frozen parts, epoch by epoch, by the specification's table; killed and gone on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from tests.fusion_set import fit_member, make_root, make_rows, member, section_of
from torch import Tensor

from assay.learning.module import Training
from assay.learning.schedules import rate
from assay.runs.record import HISTORY, WEIGHTS, read_history
from assay.systems.hemoglobin.networks.parted import PartedBackbone
from assay.systems.hemoglobin.tasks import fusion_member
from assay.systems.hemoglobin.tasks.fusion_backbones import backbones_of
from assay.systems.hemoglobin.tasks.fusion_member import MEMBER
from assay.systems.hemoglobin.tasks.fusion_params import MemberParams
from assay.systems.hemoglobin.tasks.fusion_schedules import backbone_schedule, head_schedule

EPOCHS, THAWS = {1: 60, 2: 80}, {1: 10, 2: 20}
STEPS = {1: 2, 2: 1}  # an epoch: 24 rows learn; a fold of the study has one
# The study's values, as the specification names them.
STUDY: dict[str, Any] = {
    "epochs": 60, "frozen_epochs": 10, "head_warmup_epochs": 5, "head_lr": 5e-4,
    "head_lr_thawed": "none", "head_lr_final": 5e-6, "backbone_lr": 1e-4, "backbone_lr_final": 1e-6,
    "phase2": {
        "epochs": 80, "frozen_epochs": 20, "head_warmup_epochs": 10, "head_lr": 5e-4,
        "head_lr_thawed": 3e-4, "head_lr_final": 3e-6, "backbone_lr": 5e-5, "backbone_lr_final": 5e-7,
    },
}  # fmt: skip


def cosine(first: float, last: float, done: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * done)) / 2


def specified(phase: int, moment: float) -> tuple[float, float]:
    """Return the rates of head and backbone at a moment, in epochs, as the specification says them."""
    if phase == 1:
        head = moment / 5 * 5e-4 if moment < 5 else cosine(5e-4, 5e-6, (moment - 5) / 55)
        return head, 0.0 if moment < 10 else cosine(1e-4, 1e-6, (moment - 10) / 50)
    head = moment / 10 * 5e-4 if moment < 10 else 5e-4
    if moment < 20:
        return head, 0.0
    return cosine(3e-4, 3e-6, (moment - 20) / 60), cosine(5e-5, 5e-7, (moment - 20) / 60)


def studied(phase: int, **train: Any) -> MemberParams:
    return member(phase, section=section_of({**STUDY, "batch_size": 24 // STEPS[phase], **train}))


@pytest.mark.parametrize(
    ("phase", "moment", "head", "backbone"),
    [
        (1, 0, 0, 0), (1, 2.5, 2.5e-4, 0), (1, 5, 5e-4, 0), (1, 9.99, 4.9e-4, 0),
        (1, 10, 4.9e-4, 1e-4), (1, 32.5, 2.525e-4, 5.82e-5),
        (1, 35, 2.17e-4, 5.05e-5), (1, 60, 5e-6, 1e-6),
        (2, 0, 0, 0), (2, 5, 2.5e-4, 0), (2, 10, 5e-4, 0), (2, 19.99, 5e-4, 0),
        (2, 20, 3e-4, 5e-5), (2, 50, 1.515e-4, 2.525e-5), (2, 80, 3e-6, 5e-7),
    ],
)  # fmt: skip
def test_the_table_of_the_specification(
    phase: int, moment: float, head: float, backbone: float
) -> None:
    """By numbers read off its text, so that the formula above is none of the product's."""
    how = studied(phase).train
    for found in (
        specified(phase, moment),
        (rate(head_schedule(how), moment), rate(backbone_schedule(how), moment)),
    ):
        assert found == pytest.approx((head, backbone), rel=2e-2, abs=1e-12)


@pytest.mark.parametrize("phase", [1, 2])
def test_rates_at_every_step_are_the_specifications(phase: int) -> None:
    how = studied(phase).train
    for step in range(EPOCHS[phase] * 8 + 1):
        found = rate(head_schedule(how), step / 8), rate(backbone_schedule(how), step / 8)
        assert found == pytest.approx(specified(phase, step / 8), rel=1e-9, abs=1e-15), step / 8


# --- through the real loop


@dataclass
class Seen:
    """What a training was like at each of its steps, and at the beginning of each epoch."""

    rates: list[tuple[float, float]] = field(default_factory=list)
    trainable: list[set[str]] = field(default_factory=list)
    learns: list[set[bool]] = field(default_factory=list)  # flags of all modules of the tails
    states: list[dict[str, Tensor]] = field(default_factory=list)

    def look(self, module: Training, is_first: bool) -> None:
        groups = {each["name"]: each["lr"] for each in module.trainer.optimizers[0].param_groups}
        self.rates.append((groups["head"], groups["backbone"]))
        network: Any = module.network
        named = network.named_parameters()
        self.trainable.append({name.split(".")[0] for name, one in named if one.requires_grad})
        self.learns.append({each.training for each in network.tails.modules()})
        if is_first:
            self.states.append({name: one.clone() for name, one in network.state_dict().items()})


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    found, step = Seen(), Training.training_step

    def looked(self: Training, batch: Any, batch_idx: int) -> Any:
        found.look(self, batch_idx == 0)
        return step(self, batch, batch_idx)

    monkeypatch.setattr(Training, "training_step", looked)
    return found


def moved(seen: Seen, part: str) -> list[bool]:
    """Return of each epoch whether a tensor or a statistic of a part was another one behind it."""
    return [
        any(not torch.equal(old[name], new[name]) for name in old if name.startswith(part))
        for old, new in pairwise(seen.states)
    ]


@pytest.mark.parametrize("phase", [1, 2])
def test_each_epoch_has_the_rates_and_the_trainable_parts_of_the_table(
    phase: int, seen: Seen, tmp_path: Path
) -> None:
    root, rows = make_root(tmp_path / "root"), make_rows()
    run = fit_member(root, root / "one", studied(phase), rows)
    epochs, thaws, steps = EPOCHS[phase], THAWS[phase], STEPS[phase]
    expected = [specified(phase, step / steps) for step in range(epochs * steps)]
    assert len(seen.rates) == len(expected)
    for found, wanted in zip(seen.rates, expected, strict=True):
        assert found == pytest.approx(wanted, rel=1e-9, abs=1e-15)
    assert seen.trainable == [{"head"}] * thaws * steps + [{"head", "tails"}] * (
        (epochs - thaws) * steps
    )
    assert seen.learns == [{False}] * thaws * steps + [{True}] * (epochs - thaws) * steps
    assert moved(seen, "tails") == [False] * thaws + [True] * (epochs - thaws - 1)
    # The first step of all has no rate yet.
    assert moved(seen, "head") == [steps > 1] + [True] * (epochs - 2)
    assert {name for name in seen.states[0] if not name.startswith(("head", "tails"))} == {"age"}
    assert not any(moved(seen, "age"))
    for row in read_history(run.folder / HISTORY):  # the rates that the next epoch begins with
        found_row = row["lr_head"], row["lr_backbone"]
        assert found_row == pytest.approx(specified(phase, row["epoch"] + 1), rel=1e-9, abs=1e-15)


def test_a_frozen_tail_that_is_not_in_eval_mode_is_seen(
    seen: Seen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: parameters stand still, and batch norm counts; augmented anew, where it would be fed."""
    from assay.learning.training_spec import ParamGroup

    root, rows = make_root(tmp_path / "root"), make_rows()
    params = studied(1, epochs=4, frozen_epochs=3, head_warmup_epochs=1, stored_views=0)
    fit_member(root, root / "good", params, rows)
    assert moved(seen, "tails") == [False, False, False]

    def loose(self: ParamGroup, epoch: int) -> None:
        if self.module is not None:
            self.module.train(True).requires_grad_(epoch >= 3)

    monkeypatch.setattr(ParamGroup, "enter", loose)
    seen.states.clear()
    fit_member(root, root / "bad", params, rows)
    assert moved(seen, "tails") == [True, True, True]


@pytest.mark.parametrize(("phase", "views"), [(1, 0), (1, 3), (2, 3)])
def test_no_training_moves_a_trunk(phase: int, views: int, tmp_path: Path) -> None:
    """All trainings of a process share it: neither weights nor statistics, nor the tail they copy."""
    root, rows = make_root(tmp_path / "root"), make_rows()
    params = killable(phase, stored_views=views)
    shared = backbones_of(
        MEMBER.name, params.model, params.train.seed, rows.images["nail"].shape[1]
    )
    before = [{k: v.clone() for k, v in each.parted.state_dict().items()} for each in shared]
    fit_member(root, root / "one", params, rows)
    for each, old in zip(shared, before, strict=True):
        assert all(torch.equal(old[name], new) for name, new in each.parted.state_dict().items())
        assert not any(one.requires_grad for one in each.parted.parameters())


@pytest.mark.parametrize(
    ("name", "unfreeze", "starts"),
    [
        ("test_resnet", 1, ("layer4.",)), ("test_resnet", 2, ("layer3.", "layer4.")),
        ("test_byobnet", 1, ("stages.3.", "final_conv.")),
        ("test_byobnet", 2, ("stages.2.", "stages.3.", "final_conv.")),
    ],
)  # fmt: skip
def test_what_thaws_is_the_last_stages(name: str, unfreeze: int, starts: tuple[str, ...]) -> None:
    network = timm.create_model(name, num_classes=0)
    tail = {id(each) for each in PartedBackbone(network, unfreeze).tail.parameters()}
    for key, each in network.named_parameters():
        assert (id(each) in tail) == key.startswith(starts), key


# --- killed


class Killed(BaseException):
    """Of a training, as a signal would."""


def until(last: int) -> Callable[[Any], None]:
    def watch(epochs: Any) -> None:
        if len(epochs) > last:
            raise Killed

    return watch


def files(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in (WEIGHTS, HISTORY)}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Return the folders of trainings of both phases that nothing killed, in one root."""
    root = make_root(tmp_path_factory.mktemp("killed") / "root")
    return {
        phase: fit_member(root, root / f"p{phase}", killable(phase), make_rows()).folder
        for phase in (1, 2)
    }


def killable(phase: int, **more: Any) -> MemberParams:
    """Return a short training with rates that move much."""
    how = {"epochs": 5, "frozen_epochs": 2, "head_warmup_epochs": 1}
    train = {**how, "phase2": {**STUDY["phase2"], **how}}
    return studied(phase, **train, **more, backbone_lr=1e-2, head_lr=1e-2)


@pytest.mark.parametrize(
    ("phase", "last"), [(1, 1), (1, 2), (1, 3), (1, 4), (2, 2), (2, 3)]
)  # fmt: skip
def test_a_killed_training_goes_on_to_the_same_bytes(
    phase: int, last: int, undisturbed: dict[int, Path], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Killed while frozen, in the epoch that thaws, later, and in the last one."""
    monkeypatch.setattr(fusion_member, "STATES_EVERY", 1)
    root = undisturbed[phase].parent
    with pytest.raises(Killed):
        fit_member(root, tmp_path / "one", killable(phase), make_rows(), watch=until(last))
    capsys.readouterr()
    fit_member(root, tmp_path / "one", killable(phase), make_rows())
    assert f"going on from {tmp_path / 'one' / 'resume' / f'epoch-{last - 1:04d}.ckpt'}" in (
        capsys.readouterr().out
    )
    assert files(tmp_path / "one") == files(undisturbed[phase])


def test_states_are_few_and_what_lies_between_is_trained_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the declared distance of ten epochs."""
    root, rows = make_root(tmp_path / "root"), make_rows()
    how = studied(1, epochs=14, frozen_epochs=11, head_warmup_epochs=2, backbone_lr=1e-2)
    with pytest.raises(Killed):
        fit_member(root, root / "one", how, rows, watch=until(12))
    assert [each.name for each in (root / "one/resume").glob("*.ckpt")] == ["epoch-0009.ckpt"]
    fit_member(root, root / "one", how, rows)
    assert "going on from" in capsys.readouterr().out
    assert files(root / "one") == files(fit_member(root, root / "two", how, rows).folder)
