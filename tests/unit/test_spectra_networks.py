"""Both networks: their shapes, what the founding form cannot see, and that the mended form can."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from assay.systems.spectra.learning.design import SMALL, Design
from assay.systems.spectra.learning.losses import LOSSES
from assay.systems.spectra.learning.networks import NETWORKS
from assay.systems.spectra.optics.structures import random_structures
from assay.systems.spectra.optics.symmetry import MAPS

pytestmark = pytest.mark.numeric

TINY = Design(
    stem=8, stages=(8, 8, 16, 16), blocks=1, width=16, heads=2, layers=1, bins=4,
    dropout_cnn=0.0, dropout_decoder=0.0, dropout_head=0.0,
)  # fmt: skip
FOUNDING = [("cnn_xattn", "pooled"), ("cnn_gru", "pooled")]
MENDED = [("cnn_xattn", "tokens"), *FOUNDING]


@pytest.fixture
def structures() -> Tensor:
    bits = random_structures(4, np.random.default_rng(0), diagonal=False)
    return torch.from_numpy(bits[:, None]).float() * 2 - 1


def _build(name: str, design: Design) -> nn.Module:
    torch.manual_seed(0)
    return NETWORKS[name](design).eval()


@torch.no_grad()
def _difference(network: nn.Module, structures: Tensor) -> float:
    """Return how far apart the outputs of x and of x rolled by half a period are, in their spread."""
    plain, rolled = network(structures), network(structures.roll((64, 64), (2, 3)))
    return float((plain - rolled).abs().max() / plain.std())


@pytest.mark.parametrize(("name", "memory"), FOUNDING)
def test_the_founding_form_cannot_tell_a_roll_by_half_a_period(
    name: str, memory: str, structures: Tensor
) -> None:
    network = _build(name, replace(TINY, memory=memory))
    assert _difference(network, structures) < 1e-4


def test_nor_can_tokens_alone(structures: Tensor) -> None:
    assert _difference(_build("cnn_xattn", replace(TINY, memory="tokens")), structures) < 1e-4


@pytest.mark.parametrize(("name", "memory"), MENDED)
def test_the_mended_form_can_tell(name: str, memory: str, structures: Tensor) -> None:
    network = _build(name, replace(TINY, memory=memory, position="quadrant"))
    assert _difference(network, structures) > 1e-3


@pytest.mark.parametrize("position", ["none", "quadrant"])
def test_only_the_mended_form_learns_what_a_roll_does(position: str, structures: Tensor) -> None:
    """Structures and their rolled selves, labels swapped: the founding form ends at their mean."""
    torch.manual_seed(0)
    labels = torch.rand(4, 2, 2, 4)
    coarse = structures[..., ::2, ::2]
    inputs = torch.cat([coarse, coarse.roll((32, 32), (2, 3))])
    targets = torch.cat([labels, MAPS["identity+roll-both"].outputs(labels)])
    design = replace(TINY, memory="tokens", position=position)
    network = NETWORKS["cnn_xattn"](design).train()
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3, weight_decay=0)
    for _ in range(150):
        loss = (network(inputs) - targets).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    mean = (labels + MAPS["identity+roll-both"].outputs(labels)) / 2
    floor = float((labels - mean).square().mean())  # of whoever cannot tell them apart
    assert (float(loss.detach()) < 0.3 * floor) == (position == "quadrant")
    if position == "none":
        assert float(loss.detach()) > 0.99 * floor


@pytest.mark.parametrize("name", sorted(NETWORKS))
@pytest.mark.parametrize("padding", ["circular", "zeros"])
def test_every_network_gives_four_cells_a_bin(name: str, padding: str, structures: Tensor) -> None:
    network = _build(name, replace(TINY, padding=padding, bins=30))
    assert network(structures).shape == (4, 2, 2, 30)


def test_the_defaults_are_the_founding_network() -> None:
    design = Design()
    network = NETWORKS["cnn_xattn"](design)
    x = torch.zeros(1, 1, 128, 128)
    stem = network.trunk.layers[0]
    assert stem(x).shape == (1, 64, 64, 64)
    assert network.trunk.eval()(x).shape == (1, 256, 4, 4)
    assert (design.memory, design.position, design.padding) == ("pooled", "none", "circular")
    assert len(network.decoder.layers) == 4
    assert network.queries.shape == (30, 256)
    lighter = NETWORKS["cnn_gru"](design)
    counts = [sum(p.numel() for p in each.parameters()) for each in (lighter, network)]
    assert counts[0] < 0.7 * counts[1]


def test_a_gru_refuses_tokens() -> None:
    with pytest.raises(ValueError, match="pooled"):
        NETWORKS["cnn_gru"](replace(SMALL, memory="tokens"))


def test_outputs_stand_about_the_mean_of_the_training_spectra(structures: Tensor) -> None:
    network = _build("cnn_xattn", replace(SMALL, bins=30))
    spectra = 0.3 + 0.01 * torch.randn(50, 2, 2, 30)
    network.head.centre(spectra)
    outputs = network(structures)
    assert float((outputs.detach() - spectra.mean(dim=0)).abs().mean()) < 0.05
    assert "head.mean" in network.state_dict()


@pytest.mark.parametrize("name", sorted(NETWORKS))
@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_every_parameter_learns(name: str, loss: str, structures: Tensor) -> None:
    network = NETWORKS[name](replace(TINY, position="quadrant", bins=30)).train()
    LOSSES[loss]()(network(structures), torch.rand(4, 2, 2, 30)).backward()
    # With one token to attend to, its share is 1 whatever query and key say; and none of these
    # structures is a mirror image of itself (test_spectra_cell has such).
    exempt = {"decoder.layers.0.norm2.weight", "decoder.layers.0.norm2.bias", "head.mirrored"}
    still = {n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()}
    assert still <= exempt
