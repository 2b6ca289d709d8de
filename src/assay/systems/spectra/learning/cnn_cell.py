"""One small network for all four cells: each cell is seen from its own middle, by the same weights.

A roll by half a period, along either axis, then moves the cells exactly as it moves the structure, by
construction; what is left to be learned, and to be shown as twins, is the square's eight moves about one
cell. On 416 solved structures that is what decides (see docs/spectra.md): a network that must first learn
where the cells lie does not get beyond the mean spectrum.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from assay.systems.spectra.learning.trunk import Trunk

if TYPE_CHECKING:
    from assay.systems.spectra.learning.design import Design

CELLS = ((0, 0), (0, 1), (1, 0), (1, 1))
SIDE = 4  # of the last map, kept whole: where something lies about the cell matters
ALIKE = 1e-3  # of values in −1 … 1: a mirror image, but for rounding


class CnnCell(nn.Module):
    """Structures (b, 1, h, w) in −1 … 1 → spectra (b, 2, 2, bins)."""

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.trunk = Trunk(replace(design, position="none"))
        self.head = CellHead(design)

    def forward(self, structures: Tensor) -> Tensor:
        """Return the spectra as [[R, G1], [G2, B]]."""
        views = torch.stack([centred(structures, cell) for cell in CELLS], dim=1).flatten(0, 1)
        return cast("Tensor", self.head(self.trunk(views), on_mirror(views)))


class CellHead(nn.Module):
    """Maps about each cell (4·b, channels, h, w) → spectra (b, 2, 2, bins).

    Cells on a mirror diagonal of their structure have a mean spectrum of their own: in the published
    structures these are R and B, and the view alone must tell.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.layer = nn.Sequential(
            nn.AdaptiveAvgPool2d(SIDE), nn.Flatten(), nn.Dropout(design.dropout_head),
            nn.Linear(design.stages[-1] * SIDE**2, design.bins),
        )  # fmt: skip
        self.mirrored = nn.Parameter(torch.zeros(design.bins))
        self.register_buffer("mean", torch.zeros(design.bins))
        self.register_buffer("scale", torch.ones(()))

    def forward(self, maps: Tensor, mirrored: Tensor) -> Tensor:
        """Return the spectra as [[R, G1], [G2, B]]; `mirrored` (4·b,) is 1 or 0."""
        said = cast("Tensor", self.layer(maps)) + mirrored[:, None] * self.mirrored
        return (self.mean + self.scale * said).reshape(-1, 2, 2, len(self.mean))

    def centre(self, spectra: Tensor) -> None:
        """Take mean and spread from the training spectra (n, 2, 2, bins), twins and all."""
        self.mean.copy_(spectra.mean(dim=(0, 1, 2)))
        self.scale.copy_((spectra - self.mean).square().mean().sqrt().clamp(min=1e-6))


def centred(structures: Tensor, cell: tuple[int, int]) -> Tensor:
    """Return the structures (b, 1, h, w) rolled so that the middle of `cell` is the middle."""
    height, width = structures.shape[-2:]
    row, column = cell
    shift = (height // 4 - row * height // 2, width // 4 - column * width // 2)
    return structures.roll(shift, dims=(-2, -1))


def on_mirror(views: Tensor) -> Tensor:
    """Tell (b,) which of the views (b, 1, h, h) are their own image in a diagonal: 1, else 0."""
    turned = views.transpose(-2, -1)
    diagonals = torch.stack([turned, turned.flip(-2, -1)])
    apart = (views - diagonals).abs().flatten(2).amax(dim=2)
    return (apart.amin(dim=0) < ALIKE).to(views)
