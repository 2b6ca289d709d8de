"""Landmark networks: shapes, sizes, weights that arrive, gradients everywhere, and that one learns."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from assay.errors import MachineError
from assay.learning.backbone import NONE
from assay.learning.determinism import reseed, set_determinism
from assay.learning.vision.appearance import Appearance
from assay.learning.vision.blocks import TimmEncoder
from assay.learning.vision.classes import OrdinalHead
from assay.learning.vision.codecs import Heatmap
from assay.learning.vision.geometry import Warp
from assay.learning.vision.losses import HeatmapLoss
from assay.learning.vision.networks import (
    coordinate_network,
    simple_baseline,
    small_unet,
    timm_unet,
)

pytestmark = pytest.mark.numeric

HERE, POINTS = Path(), 29


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    set_determinism(1)


def size_of(network: nn.Module) -> float:
    """Return how many million parameters a network has."""
    return sum(each.numel() for each in network.parameters()) / 1e6


def reached(network: nn.Module, outputs: Tensor) -> list[str]:
    """Go backward; return the parameters that have no gradient."""
    outputs.square().mean().backward()
    return [name for name, each in network.named_parameters() if each.grad is None]


@pytest.mark.parametrize("stride", [2, 4, 8])
def test_the_small_unet_is_small_and_its_maps_have_the_stride(stride: int) -> None:
    network = small_unet(POINTS, stride)
    assert 0.3 < size_of(network) < 0.9
    maps = network(torch.randn(2, 3, 96, 64))
    assert maps.shape == (2, POINTS, 96 // stride, 64 // stride)
    assert reached(network, maps) == []


@pytest.mark.parametrize("channels", [29, 87])
def test_no_map_is_a_mixture_of_the_others(channels: int) -> None:
    """With fewer features than maps the last layer could not say each map for itself."""
    head = small_unet(channels, 2).head
    assert torch.linalg.matrix_rank(head.weight[:, :, 0, 0]) == channels


@pytest.mark.parametrize(
    "name", ["resnet18", "mobilenetv3_small_100", "efficientnet_b0", "convnext_atto"]
)
def test_a_timm_unet_trains_whole(name: str) -> None:
    """Also where the pooled output has layers of its own, which the maps would leave without gradient."""
    network, digest = timm_unet(name, NONE, HERE, POINTS, 4 if "next" not in name else 8)
    outputs = network(torch.randn(2, 3, 64, 64))
    assert outputs.shape[1:] == (POINTS, *[8 if "next" in name else 16] * 2)
    assert digest == NONE
    assert reached(network, outputs) == []


@pytest.mark.parametrize("build", [simple_baseline, partial(timm_unet, stride=4)])
def test_a_large_backbone_gives_maps_of_a_quarter(build: Any) -> None:
    """Shapes alone, on torch's meta device."""
    with torch.device("meta"):
        network, _ = build("resnet50", NONE, HERE, channels=POINTS)
        assert network(torch.zeros(1, 3, 512, 512)).shape == (1, POINTS, 128, 128)


def test_the_simple_baseline_has_three_deconvolutions_of_256_and_no_skips() -> None:
    network, _ = simple_baseline("resnet18", NONE, HERE, POINTS)
    enlarging = [each for each in network.modules() if isinstance(each, nn.ConvTranspose2d)]
    assert [each.out_channels for each in enlarging] == [256] * 3
    assert reached(network, network(torch.randn(2, 3, 64, 64))) == []
    network.eval()
    features = network.encoder(torch.randn(1, 3, 64, 64))
    blind = [torch.zeros_like(each) for each in features[:-1]]
    assert torch.equal(network.decoder(features), network.decoder([*blind, features[-1]]))


def test_coordinates_come_from_pooled_features() -> None:
    network, _ = coordinate_network(
        "resnet18", NONE, HERE, POINTS, [32], 0.1, partial(OrdinalHead, classes=6)
    )
    outputs = network(torch.randn(2, 3, 64, 64))
    assert outputs.shape == (2, 2 * POINTS + 5)
    assert reached(network, outputs) == []
    alone, _ = coordinate_network("resnet18", NONE, HERE, POINTS, [32], 0.1)
    assert alone(torch.randn(2, 3, 64, 64)).shape == (2, POINTS, 2)


def test_weights_of_a_file_arrive_under_every_head(tmp_path: Path) -> None:
    """One file of timm's names serves all; its digest says what training started from."""
    torch.manual_seed(3)
    source = timm.create_model("resnet18", pretrained=False, num_classes=0)
    save_file(source.state_dict(), tmp_path / "own.safetensors")
    built = [
        timm_unet("resnet18", "own.safetensors", tmp_path, POINTS, 4),
        simple_baseline("resnet18", "own.safetensors", tmp_path, POINTS),
        coordinate_network("resnet18", "own.safetensors", tmp_path, POINTS, [8], 0.0),
    ]
    assert len({digest for _, digest in built}) == 1
    for network, _ in built:
        backbone: Any = getattr(network, "encoder", network)
        weight = backbone.backbone.layer4[1].conv2.weight
        assert torch.equal(weight, source.layer4[1].conv2.weight)


def test_strides_that_a_backbone_does_not_have_are_refused() -> None:
    with pytest.raises(MachineError, match="one of"):
        timm_unet("convnext_atto", NONE, HERE, POINTS, 2)
    with pytest.raises(MachineError, match="one of"):
        small_unet(POINTS, 1)


def test_a_backbone_of_one_scale_is_refused() -> None:
    with torch.device("meta"), pytest.raises(MachineError, match="one scale"):
        timm_unet("vit_tiny_patch16_224", NONE, HERE, POINTS, 4)


def test_features_are_timms_own() -> None:
    """What the encoder gives is what `features_only` would."""
    torch.manual_seed(1)
    backbone = timm.create_model("resnet18", pretrained=False, num_classes=0).eval()
    listed = timm.create_model("resnet18", pretrained=False, features_only=True).eval()
    listed.load_state_dict(backbone.state_dict(), strict=False)
    images = torch.randn(1, 3, 64, 64)
    encoder = TimmEncoder(backbone)
    assert encoder.channels == listed.feature_info.channels()
    assert encoder.reductions == listed.feature_info.reduction()
    for ours, theirs in zip(encoder(images), listed(images), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


Moved = Callable[[Tensor], Tensor]


def shown(images: Tensor, points: Tensor, codec: Heatmap, taught: Moved) -> float:
    """Return the error on still images, px, after 80 steps of moved ones, in bf16 as training does it."""
    warp, look = Warp(codec.size), Appearance()
    network = small_unet(2, 4, widths=(8, 16, 24, 32)).to(memory_format=torch.channels_last)
    loss, optimiser = HeatmapLoss(codec), torch.optim.AdamW(network.parameters(), 3e-3)
    for _ in range(80):
        moves = warp.draw(len(images))
        seen, aims = look(warp.images(images, moves), True), warp.points(points, moves)
        with torch.autocast("cpu", torch.bfloat16):
            value = loss(network(seen), taught(aims))
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
    with torch.no_grad():
        found = codec.decode(network.eval()(look(images, False)))
    return float((found - points).norm(dim=2).nanmean())


@pytest.mark.parametrize("logits", [False, True])
def test_the_small_unet_learns_where_two_spots_are(logits: bool) -> None:
    """A bright spot, and the opposite one that is dark; nothing of the kind from the next image's points.

    Errors are 0.27–0.96 px over three seeds and three sets of instructions, 12 px with the next image's;
    the mean place has 7.1–9.3.
    """
    size, count = 64, 8
    reseed(1)
    spots = torch.rand(count, 1, 2) * 24 + 20
    points = torch.cat([spots, size - 1 - spots], dim=1)
    points[0, 1] = torch.nan
    away = points.nan_to_num(-99)[:, :, :, None] - torch.arange(size)
    light = torch.exp(-away.square() / 18)
    blobs = light[:, :, 1, :, None] * light[:, :, 0, None, :]
    images = (100 + 100 * blobs[:, 0] - 100 * blobs[:, 1]).to(torch.uint8)[..., None]
    images, codec = images.repeat(1, 1, 1, 3), Heatmap(size, 4, logits=logits)
    trivial = float((points.nanmean(dim=0) - points).norm(dim=2).nanmean())
    assert shown(images, points, codec, lambda aims: aims) < trivial / 3
    assert shown(images, points, codec, lambda aims: aims.roll(1, 0)) > trivial / 3
