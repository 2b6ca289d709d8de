"""Convolutions, then a transformer decoder that asks the last map for each bin of the spectrum."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from assay.systems.spectra.learning.head import Head
from assay.systems.spectra.learning.trunk import Trunk

if TYPE_CHECKING:
    from assay.systems.spectra.learning.design import Design


class CnnAttention(nn.Module):
    """Structures (b, 1, h, w) in −1 … 1 → spectra (b, 2, 2, bins)."""

    encoding: Tensor

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.pooled = design.memory == "pooled"
        self.trunk = Trunk(design)
        last = design.stages[-1]
        self.memory = nn.Identity() if last == design.width else nn.Linear(last, design.width)
        self.queries = nn.Parameter(torch.randn(design.bins, design.width) * 0.02)
        self.register_buffer("encoding", sinusoids(design.bins, design.width), persistent=False)
        layer = nn.TransformerDecoderLayer(
            design.width, design.heads, 4 * design.width, design.dropout_decoder, "gelu",
            batch_first=True, norm_first=True,
        )  # fmt: skip
        self.decoder = nn.TransformerDecoder(layer, design.layers)
        if self.pooled:
            # One token gets all attention, whatever is asked of it: the question's norm learns nothing.
            for each in self.decoder.layers:
                cast("nn.TransformerDecoderLayer", each).norm2.requires_grad_(requires_grad=False)
        self.head = Head(design)

    def forward(self, structures: Tensor) -> Tensor:
        """Return the spectra as [[R, G1], [G2, B]]."""
        cells = self.trunk(structures).flatten(2).transpose(1, 2)
        memory = self.memory(cells.mean(dim=1, keepdim=True) if self.pooled else cells)
        queries = (self.queries + self.encoding).expand(len(structures), -1, -1)
        return cast("Tensor", self.head(self.decoder(queries, memory)))


def sinusoids(count: int, width: int) -> Tensor:
    """Return the fixed positional encoding (count, width); width even (Vaswani et al., 2017)."""
    rate = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    angle = torch.arange(count)[:, None] * rate
    return torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)
