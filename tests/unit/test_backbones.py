"""The study's thirteen backbones: named as timm names them, below 100 M parameters, with the head."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch

from assay.errors import MachineError
from assay.learning.backbone import NONE, build_backbone, ensure_takes
from assay.learning.determinism import reseed
from assay.learning.regression import Regressor
from assay.params import read_params
from assay.systems.hemoglobin.tasks.single import NAIL
from assay.values import typed

ROOT = Path(__file__).parents[2]
NAMES = (ROOT / "recipes" / "hemoglobin" / "backbones.txt").read_text().split()
SMALLEST = ["rexnetr_200.sw_in12k", "resnetaa50d.sw_in12k", "convnext_tiny.in12k"]
SIZE = 224


def built(name: str) -> Regressor:
    content = read_params(ROOT / "params.yaml")
    content[NAIL.name]["model"] |= {"backbone": name, "weights": NONE}
    reseed(1)
    return NAIL.learner(typed(content, NAIL.name, NAIL.params)).make(NONE)[0]


def step(network: Regressor, images: torch.Tensor) -> None:
    """Go forward and backward; every parameter must have a part in it."""
    outputs = network(images)
    assert outputs.shape == (len(images), 1)
    outputs.square().mean().backward()
    assert [name for name, each in network.named_parameters() if each.grad is None] == []


def test_there_are_thirteen() -> None:
    assert len(set(NAMES)) == len(NAMES) == 13


@pytest.mark.parametrize("name", NAMES)
def test_a_backbone_carries_the_head(name: str) -> None:
    """Shapes and gradients alone, on torch's meta device: real steps of all take 40 s."""
    with torch.device("meta"):
        network = built(name)
        assert sum(each.numel() for each in network.parameters()) < 100e6
        step(network, torch.zeros(2, 3, SIZE, SIZE))


@pytest.mark.parametrize("name", SMALLEST)
def test_a_backbone_computes(name: str) -> None:
    """Of 64 px, a twelfth of the work: shapes at 224 px are the test above's."""
    network = built(name)
    step(network, torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)))
    assert all(each.grad.isfinite().all() for each in network.parameters() if each.grad is not None)


@pytest.mark.parametrize("name", NAMES)
def test_its_weights_are_published_under_this_name(name: str) -> None:
    """A misspelt tag goes unnoticed without weights; with them timm refuses it."""
    assert name in timm.list_pretrained()
    assert timm.get_pretrained_cfg(name).hf_hub_id == f"timm/{name}"


def test_a_misspelt_tag_is_named_with_its_neighbour() -> None:
    with pytest.raises(MachineError, match=r"convnext_tiny\.in12k"):
        build_backbone("convnext_tiny.in12", NONE, ROOT)


@pytest.mark.parametrize("device", ["meta", pytest.param("cpu", marks=pytest.mark.train_all)])
def test_a_size_that_a_backbone_does_not_take_is_refused(device: str) -> None:
    with torch.device(device):
        network = built("coatnet_rmlp_1_rw2_224.sw_in12k").backbone
        ensure_takes(network, SIZE, "hemoglobin.nail.ingest.size")
        assert network.training
        with pytest.raises(MachineError, match="does not take images of 64 px"):
            ensure_takes(network, 64, "hemoglobin.nail.ingest.size")


def test_a_misspelt_backbone_is_named_with_its_neighbour() -> None:
    with pytest.raises(MachineError, match="convnext_tiny"):
        build_backbone("convnext_tinny", NONE, ROOT)
