"""What of the landmark network's backbone learns: all of it, or the top alone, at once or later."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from tests.landmark_plans import changed, parameters, planned, run_in, state, whole_and_killed
from torch import nn

from assay.errors import MachineError
from assay.gates.preflight_network import judge_network
from assay.learning.fit import fit
from assay.learning.schedules import rate
from assay.learning.training_spec import TrainingSpec
from assay.learning.vision.blocks import SmallEncoder, TimmEncoder
from assay.systems.ceph.tasks import landmarks_networks
from assay.systems.ceph.tasks.parts import top

SMALL = ("small_unet", "encoder.stages.4.", "encoder.stages.3.")
NETWORKS = [
    SMALL,
    ("timm_unet", "encoder.backbone.layer4.", "encoder.backbone.layer3."),
    ("coordinates", "backbone.layer4.", "backbone.layer3."),
]


def thawing(network: str, freeze: int, **train: Any) -> Any:
    model = {"network": network, "backbone": "test_resnet"}
    return parameters(model, freeze_epochs=freeze, unfreeze="top", **train)


@pytest.mark.parametrize(("network", "above", "below"), NETWORKS)
def test_the_top_learns_after_the_head_and_the_rest_never(
    tmp_path: Path, network: str, above: str, below: str
) -> None:
    """Batch norm's statistics and all; two epochs of the head, then one with the top."""
    spec, rows = planned(thawing(network, 2, epochs=4, batch_size=6))
    seen = [state(spec)]

    def noting(outputs: Any, targets: Any) -> dict[str, float]:
        seen.append(state(spec))
        return spec.metrics(outputs, targets)

    fit(replace(spec, metrics=noting), rows, rows, run_in(tmp_path))
    slow = "backbone." if network == "coordinates" else "encoder."
    for epoch, (one, other) in enumerate(pairwise(seen)):
        assert changed(one, other, above) == (epoch >= 2)
        assert not changed(one, other, below)
        moved = {name for name in one if not torch.equal(one[name], other[name])}
        assert not {name for name in moved if name.startswith(slow) and not name.startswith(above)}
        assert changed(one, other, "head.")
    assert any("running_mean" in name for name in seen[0] if name.startswith(above))


@pytest.mark.parametrize("freeze", [0, 2])
def test_a_killed_one_goes_on_to_the_same_bytes(tmp_path: Path, freeze: int) -> None:
    spec = thawing("small_unet", freeze)
    whole, killed = whole_and_killed(spec, tmp_path, 3, checkpoint_every=2)
    assert whole == killed


@pytest.mark.parametrize("freeze", [0, 2])
@pytest.mark.parametrize(("network", "above", "below"), NETWORKS)
def test_the_preflight_holds_the_frozen_rest_to_it(
    network: str, above: str, below: str, freeze: int
) -> None:
    spec, rows = planned(thawing(network, freeze, epochs=6))
    checks = {check.name: check for check in judge_network(spec, rows, rows)}
    assert [name for name, check in checks.items() if not check.passed] == []
    assert {"frozen batch norm", "frozen"} <= checks.keys()
    never = [name for name, value in spec.network.named_parameters() if not learns(spec, value)]
    assert any(name.startswith(below) for name in never)
    assert not any(name.startswith((above, "head.")) for name in never)
    assert checks["frozen"].checked == len(never)
    # Planted: the rest of the backbone learns, and its statistics move.
    spec.network.train().requires_grad_(True)
    checks = {check.name: check for check in judge_network(spec, rows, rows)}
    assert not checks["frozen batch norm"].passed
    assert not checks["frozen"].passed


def learns(spec: TrainingSpec, value: nn.Parameter) -> bool:
    return any(value is own for each in spec.param_groups for own in each.parameters)


def test_the_top_has_a_tenth_of_the_rate_after_its_epoch() -> None:
    """The founders' rule: the head alone, then the top block at a tenth of the rate."""
    spec, _ = planned(
        thawing(
            "coordinates", 15, epochs=60, warmup_epochs=2, lr=1e-3, backbone_lr=1e-4, lr_final=1e-5
        )
    )
    backbone, head = spec.param_groups
    assert rate(backbone.schedule, 14.9) == 0
    assert rate(backbone.schedule, 17) == pytest.approx(1e-4)
    assert rate(head.schedule, 2) == pytest.approx(1e-3)


def test_all_and_top_hold_the_same_head() -> None:
    (all_, _), (top_, _) = planned(parameters()), planned(thawing("small_unet", 0))
    counts = [
        [sum(value.numel() for value in each.parameters) for each in spec.param_groups]
        for spec in (all_, top_)
    ]
    assert counts[0][1] == counts[1][1]
    assert 0 < counts[1][0] < counts[0][0]
    assert all(value.requires_grad for value in all_.network.parameters())
    assert landmarks_networks.backbone(all_.network).training


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("resnet18", "layer4.0.conv1.weight", "layer4.1.bn2.bias"),
        ("test_resnet", "layer4.0.conv1.weight", "layer4.0.downsample.2.bias"),
        ("efficientnet_b0", "blocks.5.0.conv_pw.weight", "bn2.bias"),
        ("convnext_atto", "stages.3.", "head.norm.bias"),
        ("densenet121", "features.transition3.", "features.norm5.bias"),
    ],
)
def test_the_top_is_the_last_stage_and_what_comes_behind(name: str, first: str, last: str) -> None:
    backbone = timm.create_model(name, num_classes=0)
    own = {id(value) for value in top(backbone).parameters()}
    inside = [name for name, value in backbone.named_parameters() if id(value) in own]
    everything = [name for name, _ in backbone.named_parameters()]
    assert inside[0].startswith(first), inside
    assert inside[-1] == last, inside
    assert inside == everything[-len(inside) :]
    assert len(inside) < len(everything)


def test_a_top_without_weights_is_refused() -> None:
    with pytest.raises(MachineError, match="no weights behind features"):
        top(TimmEncoder(timm.create_model("vgg11", num_classes=0)))


def test_the_top_of_an_encoder_is_that_of_its_backbone() -> None:
    small = SmallEncoder()
    assert top(small) is small.stages[-1]
    backbone = timm.create_model("resnet18", num_classes=0)
    counted = [sum(value.numel() for value in top(each).parameters()) for each in
               (backbone, TimmEncoder(backbone))]  # fmt: skip
    assert counted[0] == counted[1] == 8_393_728
