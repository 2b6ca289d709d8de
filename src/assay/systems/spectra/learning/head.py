"""What both networks end in: four values a bin, about a mean spectrum that the training set gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from assay.systems.spectra.learning.design import Design


class Head(nn.Module):
    """Features of each bin (b, bins, width) → spectra (b, 2, 2, bins).

    The layer answers in units of `scale` about `mean`; both travel with the weights. As built they are 1
    and 0, so that a spectrum is what the layer says.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.layer = nn.Sequential(
            nn.LayerNorm(design.width), nn.Dropout(design.dropout_head), nn.Linear(design.width, 4)
        )
        self.register_buffer("mean", torch.zeros(2, 2, design.bins))
        self.register_buffer("scale", torch.ones(()))

    def forward(self, features: Tensor) -> Tensor:
        """Return the four cells as [[R, G1], [G2, B]]."""
        cells = cast("Tensor", self.layer(features)).transpose(1, 2)
        return self.mean + self.scale * cells.reshape(-1, *self.mean.shape)

    def centre(self, spectra: Tensor) -> None:
        """Take mean and spread from the training spectra (n, 2, 2, bins), twins and all."""
        self.mean.copy_(spectra.mean(dim=0))
        self.scale.copy_((spectra - spectra.mean(dim=0)).square().mean().sqrt().clamp(min=1e-6))
