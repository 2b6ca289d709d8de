"""Image → number: a backbone and the regression head; the network of all Hb tasks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class RegressionHead(nn.Sequential):
    """dim → hidden … → outputs, ReLU and dropout between."""

    def __init__(self, dim: int, hidden: Sequence[int], dropout: float, outputs: int = 1) -> None:
        layers: list[nn.Module] = []
        for width in hidden:
            layers += [nn.Linear(dim, width), nn.ReLU(), nn.Dropout(dropout)]
            dim = width
        super().__init__(*layers, nn.Linear(dim, outputs))

    @torch.no_grad()
    def start_at(self, value: Tensor) -> None:
        """Let the untrained head say `value` (outputs,): training starts at the mean predictor."""
        last = self[-1]
        assert isinstance(last, nn.Linear)
        last.bias.copy_(value)


class Regressor(nn.Module):
    """Normalised images (b, 3, h, w) → (b, outputs)."""

    def __init__(self, backbone: nn.Module, head: RegressionHead) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, images: Tensor) -> Tensor:
        """Return label units (b, outputs)."""
        outputs: Tensor = self.head(self.backbone(images))
        return outputs
