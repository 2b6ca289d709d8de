"""Structure → feature map: a stem and residual stages, GroupNorm and SiLU, periodic where asked."""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from assay.systems.spectra.learning.design import Design

GROUPS = 8  # of GroupNorm, where the channels divide by it


class Residual(nn.Module):
    """Two 3×3 convolutions with the norm before each; the first has the stride."""

    def __init__(self, inputs: int, outputs: int, stride: int, design: Design) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _norm(inputs), nn.SiLU(), _conv(inputs, outputs, 3, stride, design),
            _norm(outputs), nn.SiLU(), nn.Dropout(design.dropout_cnn),
            _conv(outputs, outputs, 3, 1, design),
        )  # fmt: skip
        plain = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if plain else nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps (b, outputs, h / stride, w / stride)."""
        return cast("Tensor", self.layers(maps) + self.shortcut(maps))


class Trunk(nn.Module):
    """Structures (b, 1, h, w) in −1 … 1 → maps (b, stages[-1], h / 2^(1 + stages), …)."""

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.placed = design.position == "quadrant"
        layers: list[nn.Module] = [_conv(3 if self.placed else 1, design.stem, 5, 2, design)]
        width = design.stem
        for outputs in design.stages:
            layers.append(Residual(width, outputs, 2, design))
            layers += [Residual(outputs, outputs, 1, design) for _ in range(design.blocks - 1)]
            width = outputs
        self.layers = nn.Sequential(*layers, _norm(width), nn.SiLU())

    def forward(self, structures: Tensor) -> Tensor:
        """Return the last stage's maps."""
        if self.placed:
            structures = torch.cat([structures, _quadrants(structures)], dim=1)
        return cast("Tensor", self.layers(structures))


def _quadrants(structures: Tensor) -> Tensor:
    """Return two channels (b, 2, h, w): −1 in the first half of the rows or columns, 1 in the second."""
    count, _, rows, columns = structures.shape
    row = torch.where(torch.arange(rows, device=structures.device) < rows // 2, -1.0, 1.0)
    column = torch.where(torch.arange(columns, device=structures.device) < columns // 2, -1.0, 1.0)
    both = torch.stack([row[:, None].expand(rows, columns), column.expand(rows, columns)])
    return both.to(structures).expand(count, 2, rows, columns)


def _conv(inputs: int, outputs: int, side: int, stride: int, design: Design) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, side, stride, side // 2, padding_mode=design.padding)


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(gcd(GROUPS, channels), channels)
