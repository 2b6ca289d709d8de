"""Convolutions, then a GRU along the bins of the spectrum: lighter, and less accurate."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from assay.systems.spectra.learning.head import Head
from assay.systems.spectra.learning.trunk import Trunk

if TYPE_CHECKING:
    from assay.systems.spectra.learning.design import Design

LAYERS = 2


class CnnGru(nn.Module):
    """Structures (b, 1, h, w) in −1 … 1 → spectra (b, 2, 2, bins).

    Raises:
        ValueError: a design whose memory is not pooled; a GRU has no other.
    """

    def __init__(self, design: Design) -> None:
        super().__init__()
        if design.memory != "pooled":
            raise ValueError(f"memory {design.memory}; a GRU sees the pooled map alone")
        self.trunk = Trunk(design)
        self.memory = nn.Linear(design.stages[-1], design.width)
        self.bins = nn.Parameter(torch.randn(design.bins, design.width) * 0.02)
        self.gru = nn.GRU(
            design.width, design.width, LAYERS, batch_first=True, dropout=design.dropout_decoder
        )
        self.head = Head(design)

    def forward(self, structures: Tensor) -> Tensor:
        """Return the spectra as [[R, G1], [G2, B]]."""
        memory = self.memory(self.trunk(structures).mean(dim=(2, 3)))
        states, _ = self.gru(memory[:, None] + self.bins)
        return cast("Tensor", self.head(states))
