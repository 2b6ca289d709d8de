"""A prediction averaged over the maps obeys them, whatever the network has learnt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from assay.systems.spectra.optics.symmetry import Map


class Averaged(nn.Module):
    """The mean of g⁻¹ f(g x) over the maps g; equivariant where they are a group, as each set is.

    Costs one pass a map.
    """

    def __init__(self, network: nn.Module, maps: Sequence[Map]) -> None:
        super().__init__()
        self.network, self.maps = network, tuple(maps)

    def forward(self, structures: Tensor) -> Tensor:
        """Return spectra (b, 2, 2, bins) of structures (b, 1, h, w)."""
        total = torch.zeros((), dtype=torch.float64)
        for one in self.maps:
            outputs = self.network(one.tensors(structures).contiguous())
            # Summed in double: the maps come in another order for another view of a structure.
            total = total.to(outputs.device) + one.inverse.outputs(outputs).double()
        return (total / len(self.maps)).float()


@torch.no_grad()
def equivariance_error(network: nn.Module, structures: Tensor, maps: Sequence[Map]) -> float:
    """Return the largest |f(g x) − g f(x)| over structures (b, 1, h, w), maps, cells and bins."""
    plain = network(structures)
    worst = 0.0
    for one in maps:
        moved = network(one.tensors(structures).contiguous())
        worst = max(worst, float((moved - one.outputs(plain)).abs().max()))
    return worst
