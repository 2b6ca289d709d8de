"""Backbones of the fusion, parted: they say what timm's networks say; and what timm gives by name."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from assay.errors import MachineError
from assay.learning.backbone import NONE, ensure_takes
from assay.learning.determinism import reseed
from assay.learning.regression import RegressionHead, Regressor
from assay.systems.hemoglobin.networks.fusion import FusionNetwork
from assay.systems.hemoglobin.networks.parted import LEVELS, PartedBackbone, in_parts
from assay.systems.hemoglobin.tasks.fusion_backbones import VIEWS, backbones_of
from assay.systems.hemoglobin.tasks.fusion_params import MemberModel

if TYPE_CHECKING:
    from assay.systems.hemoglobin.tasks.fusion_backbones import Backbone

ROOT = Path(__file__).parents[2]
NAMES = (ROOT / "recipes" / "hemoglobin" / "backbones.txt").read_text().split()
BUILT = sorted({name.partition(".")[0] for name in NAMES})  # of one name with two tags, one network
TINY = ["test_resnet", "test_byobnet", "test_convnext", "test_efficientnet"]
ROW = re.compile(r"^\| `(\w+)` \|(.+)\|$", re.MULTILINE)
OTHER_SIDES = (64, 192, 256)
TASK, SIZE = "hemoglobin-fusion", 224


def network_of(name: str, **asked: Any) -> nn.Module:
    """Return timm's network, at drawn weights, every norm and scale of which counts."""
    reseed(1)
    network: nn.Module = timm.create_model(name, **asked).eval()
    for key, each in network.state_dict().items():
        if each.ndim == 1 and key.endswith(
            ("weight", "bias", "gamma", "running_var", "running_mean")
        ):
            each.uniform_(0.5, 1.5)
    return network


def flat(name: str) -> str:
    """Return a tensor's name as it is with and without the modules that `features_only` flattens."""
    return name.replace(".", "_")


def levels_of(network: nn.Module, name: str) -> nn.Module:
    """Return timm's own network of the last four maps, at the same weights."""
    levels: nn.Module = timm.create_model(name, features_only=True, out_indices=(-4, -3, -2, -1))
    own = {flat(key): value for key, value in network.state_dict().items()}
    levels.load_state_dict({key: own[flat(key)] for key in levels.state_dict()}, assign=True)
    return levels.eval()


def left_out(network: nn.Module, levels: nn.Module) -> set[str]:
    """Return the modules of a network that its `features_only` has not."""
    kept = {flat(key) for key in levels.state_dict()}
    return {key.rpartition(".")[0] for key in network.state_dict() if flat(key) not in kept}


@torch.no_grad()
def assert_parts_say_the_same(name: str, size: int) -> None:
    """The parts say what the network says, and timm's four maps pooled, to the bit."""
    network = network_of(name, num_classes=0)
    levels = levels_of(network, name)
    image = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(1))
    late, maps = network(image), levels(image)
    pooled = torch.cat([each.mean((2, 3)) for each in maps], 1)
    assert 0 < late.std() < torch.inf
    for unfreeze in (1, 2):
        parted = PartedBackbone(network, unfreeze).eval()
        trunk, own = parted.trunk(image)
        kept = trunk.clone()
        found, behind = parted.tail(trunk)
        assert torch.equal(found, late)
        assert torch.equal(trunk, maps[-1 - unfreeze])  # the tail is the last stages, and no more
        assert torch.equal(trunk, kept)  # which writes nothing into what many share
        assert torch.equal(torch.cat([own, behind], 1), pooled)
    last = maps[-1].mean((2, 3))
    same = late.shape == last.shape and torch.equal(late, last)
    assert same == (not left_out(network, levels))
    if (
        not same and late.shape == last.shape
    ):  # another input of the head, which takes it all the same
        assert (late - last).abs().max() > 0.1


@pytest.mark.parametrize("name", TINY)
def test_the_parts_say_what_a_tiny_network_says(name: str) -> None:
    assert_parts_say_the_same(name, 64)


@pytest.mark.train_all
@pytest.mark.parametrize("name", BUILT)
def test_the_parts_say_what_the_network_says(name: str) -> None:
    assert_parts_say_the_same(name, SIZE)


@pytest.mark.parametrize("name", TINY)
def test_late_features_are_those_that_its_classifier_is_given(name: str) -> None:
    whole = network_of(name)
    bare = timm.create_model(name, num_classes=0).eval()
    own = set(bare.state_dict())
    bare.load_state_dict({key: value for key, value in whole.state_dict().items() if key in own})
    image = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        given = whole.forward_head(whole.forward_features(image), pre_logits=True)  # type: ignore[operator]
        trunk, _ = (parted := in_parts(bare, 1, name, 64)).trunk(image)
        assert torch.equal(parted.tail(trunk)[0], given)


# What timm gives by name: the table in docs/hemoglobin.md.


@cache
def table() -> dict[str, list[str]]:
    text = (ROOT / "docs" / "hemoglobin.md").read_text()
    section = text.partition("## The thirteen backbones\n")[2].partition("\n## ")[0]
    return {
        name: [cell.strip(" `") for cell in rest.split("|")] for name, rest in ROW.findall(section)
    }


@cache
def shapes_of(name: str) -> tuple[nn.Module, nn.Module]:
    """Return a network and its `features_only` on torch's meta device: shapes alone."""
    with torch.device("meta"):
        network = timm.create_model(name, num_classes=0).eval()
        return network, levels_of(network, name)


def test_the_table_has_them_all() -> None:
    assert sorted(table()) == BUILT
    assert len(NAMES) == 13


@pytest.mark.parametrize("name", BUILT)
def test_the_table_says_what_timm_gives(name: str) -> None:
    network, levels = shapes_of(name)
    millions, channels, late, missing, last, sides = table()[name]
    count = sum(each.numel() for each in network.parameters())
    assert f"{count / 1e6:.1f}" == millions
    with torch.device("meta"), torch.no_grad():
        maps = levels(torch.zeros(1, 3, SIZE, SIZE))
        features = network(torch.zeros(1, 3, SIZE, SIZE))
    assert [SIZE // each.shape[2] for each in maps] == [4, 8, 16, 32]
    assert ", ".join(str(each.shape[1]) for each in maps) == channels
    assert str(features.shape[1]) == late
    found = {each.partition(".conv")[0].partition(".bn")[0] for each in left_out(network, levels)}
    assert found == {each.strip("` ") for each in missing.split(",")} - {"nothing"}
    same_width = features.shape[1] == maps[-1].shape[1]
    assert last == ("equal" if not found else "other values" if same_width else "other width")
    assert sides == ("any" if all(takes(network, side) for side in OTHER_SIDES) else "224")


def takes(network: nn.Module, side: int) -> bool:
    with torch.device("meta"):
        try:
            ensure_takes(network, side, "hemoglobin.fusion.ingest.size")
        except MachineError:
            return False
    return True


# The fusion networks on them.


@pytest.mark.parametrize("unfreeze", [1, pytest.param(2, marks=pytest.mark.train_all)])
@pytest.mark.parametrize(("nail", "conjunctiva"), list(zip(BUILT[::2], BUILT[1::2], strict=True)))
def test_both_phases_stand_on_every_backbone(nail: str, conjunctiva: str, unfreeze: int) -> None:
    pair = [shapes_of(each) for each in (nail, conjunctiva)]
    parted = [PartedBackbone(network, unfreeze) for network, _ in pair]
    late = sum(int(table()[each][2]) for each in (nail, conjunctiva))
    with torch.device("meta"):
        image = torch.zeros(2, 3, SIZE, SIZE)
        with torch.no_grad():
            shown = [said for each in parted for said in each.trunk(image)]
        for levels_width, width in ((0, late), (256, 2 * LEVELS * 256)):
            network = FusionNetwork(parted, levels_width, True, [512, 256], 0.3)
            assert network.head.regression[0].in_features == width + 2
            hb = network([*shown, torch.zeros(2, 2)])
            assert hb.shape == (2, 1)
            hb.sum().backward()
            # Also in phase 2, of which what is behind the last map is no part: the preflight asks for it.
            assert all(each.grad is not None for each in network.parameters())


# First weights, and what is refused.


def member(nail: str, conjunctiva: str = "test_resnet", weights: str = NONE) -> MemberModel:
    return MemberModel.model_validate({
        "phase": 1, "nail": nail, "conjunctiva": conjunctiva, "demographics": True, "weights": weights,
        "unfreeze": 1, "levels_width": 8, "hidden": [8], "dropout": 0,
    })  # fmt: skip


def asked(model: MemberModel, size: int = 64) -> list[Backbone]:
    return backbones_of(TASK, model, 1, size)


def tensors(parted: PartedBackbone) -> list[Tensor]:
    return [*parted.trunk.state_dict().values(), *parted.tail.state_dict().values()]


def put(folder: Path, view: str, name: str, network: nn.Module) -> Path:
    """Put a network's weights where a view's backbone starts from, as DVC's."""
    path = folder / "models" / "start" / TASK / f"{view}-{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(network.state_dict(), path)
    path.with_name(f"{path.name}.dvc").touch()
    return path


@pytest.mark.parametrize("is_bare", [False, True])
def test_a_single_modality_model_starts_its_view(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_bare: bool
) -> None:
    """Its own file has a head beside the backbone; the hub's has none."""
    monkeypatch.chdir(tmp_path)
    names, trained = ["test_convnext", "test_resnet"], []
    for view, name, width in zip(VIEWS, names, (64, 96), strict=True):
        network = network_of(name, num_classes=0)
        whole = network if is_bare else Regressor(network, RegressionHead(width, [8], 0.0))
        put(tmp_path, view, name, whole)
        trained.append(list(network.state_dict().values()))
    backbones = asked(member(*names, "single"))
    assert [each.name for each in backbones] == names
    for backbone, expected in zip(backbones, trained, strict=True):
        pairs = zip(tensors(backbone.parted), expected, strict=True)
        assert all(torch.equal(found, each) for found, each in pairs)
        assert not any(each.requires_grad for each in backbone.parted.parameters())
    assert len({each.first for each in backbones}) == 2  # by digest, which is declared


def test_a_model_of_another_backbone_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    other = Regressor(network_of("test_resnet", num_classes=0), RegressionHead(96, [8], 0.0))
    put(tmp_path, "nail", "test_convnext", other)
    with pytest.raises(MachineError, match=r"holds 0 of \d+ tensors"):
        asked(member("test_convnext", weights="single"))


def test_a_single_modality_model_that_is_not_there_is_named_with_its_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MachineError, match=r"no such file: .*/nail-test_convnext") as caught:
        asked(member("test_convnext", weights="single"))
    assert f"assay weights {TASK}" in caught.value.mend


def test_a_misspelt_backbone_is_named_with_its_neighbour() -> None:
    with pytest.raises(MachineError, match="convnext_tiny") as caught:
        asked(member("convnext_tinny"))
    assert caught.value.where.startswith("hemoglobin-fusion.model.nail")
    assert "hemoglobin-fusion.model.nail=[" in caught.value.mend


@pytest.mark.parametrize(
    ("name", "size", "said"),
    [
        ("test_vit", 160, "cannot be run in a row"),  # a class token between its modules
        ("test_mambaout", 64, "not as wide as timm says"),  # channels last
    ],
)
def test_a_backbone_that_is_no_row_of_maps_is_refused(name: str, size: int, said: str) -> None:
    with pytest.raises(MachineError, match=said) as caught:
        asked(member(name), size)
    assert "hemoglobin-fusion.model.nail=" in caught.value.mend


class Crooked(nn.Module):
    """A row of modules whose network does something between them."""

    head_hidden_size = 3

    def __init__(self, levels: int) -> None:
        super().__init__()
        for number in range(levels):
            self.add_module(f"stage{number}", nn.Conv2d(3, 3, 1))
        self.feature_info = [{"module": f"stage{number}", "num_chs": 3} for number in range(levels)]

    def forward(self, image: Tensor) -> Tensor:
        for stage in self.children():
            image = stage(image) + 1e-3
        return image


@pytest.mark.parametrize(
    ("levels", "said"), [(LEVELS, "do not say what it says"), (1, "cannot be run in a row")]
)
def test_parts_that_say_something_else_are_refused(levels: int, said: str) -> None:
    with pytest.raises(MachineError, match=said):
        in_parts(Crooked(levels), 1, "crooked", 8)


@pytest.mark.parametrize("device", ["meta", pytest.param("cpu", marks=pytest.mark.train_all)])
def test_a_size_that_a_backbone_does_not_take_is_refused(device: str) -> None:
    with (
        torch.device(device),
        pytest.raises(MachineError, match="does not take images of 64 px") as caught,
    ):
        asked(member("coatnet_rmlp_1_rw2_224"))
    assert "hemoglobin.fusion.ingest.size=224" in caught.value.mend
