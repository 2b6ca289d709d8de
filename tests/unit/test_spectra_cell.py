"""The network of one cell: rolls by half a period are exact, and R, B are told from G by the mirror."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from assay.systems.spectra.learning.averaging import Averaged, equivariance_error
from assay.systems.spectra.learning.cnn_cell import CELLS, CnnCell, centred, on_mirror
from assay.systems.spectra.learning.design import Design
from assay.systems.spectra.optics.structures import random_structures
from assay.systems.spectra.optics.symmetry import MAPS, SYMMETRIES, Map

SIDE = 32
ROLLS = [one for name, one in MAPS.items() if name.startswith("identity")]


def structures(*, diagonal: bool) -> Tensor:
    bits = random_structures(4, np.random.default_rng(0), size=SIDE, diagonal=diagonal)
    return torch.from_numpy(bits[:, None]).float() * 2 - 1


@pytest.fixture
def network() -> CnnCell:
    torch.manual_seed(0)
    built = CnnCell(Design(stem=8, stages=(8, 16), blocks=1, bins=5)).eval()
    torch.nn.init.normal_(built.head.mirrored)
    return built


@pytest.mark.parametrize("one", ROLLS, ids=lambda one: one.name)
def test_a_roll_by_half_a_period_is_exact(network: CnnCell, one: Map) -> None:
    assert len(ROLLS) == 4
    seen = structures(diagonal=False)
    assert network(seen).std() > 0.01
    assert equivariance_error(network, seen, [one]) == 0


def test_the_other_maps_are_exact_when_averaged(network: CnnCell) -> None:
    seen, maps = structures(diagonal=True), SYMMETRIES["full32"]
    assert equivariance_error(network, seen, maps) > 0.01
    assert equivariance_error(Averaged(network, maps), seen, maps) < 1e-6


def test_the_cells_on_the_mirror_are_red_and_blue() -> None:
    def told(seen: Tensor) -> list[float]:
        views = torch.stack([centred(seen, cell) for cell in CELLS], dim=1).flatten(0, 1)
        return on_mirror(views).reshape(-1, 4).mean(dim=0).tolist()

    assert told(structures(diagonal=True)) == [1, 0, 0, 1]
    assert told(structures(diagonal=True).flip(-1)) == [0, 1, 1, 0]
    assert told(structures(diagonal=False)) == [0, 0, 0, 0]


def test_the_mean_of_the_cells_on_the_mirror_is_learned(network: CnnCell) -> None:
    network(structures(diagonal=True)).square().mean().backward()
    assert network.head.mirrored.grad is not None
    assert network.head.mirrored.grad.abs().min() > 0
