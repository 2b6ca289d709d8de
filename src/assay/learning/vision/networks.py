"""Image → heatmaps or coordinates of landmarks, and beside coordinates, where asked, logits of a class.

Four kinds: the small U-Net (0.8 M parameters, for a CPU), a timm backbone with three deconvolutions, a
timm backbone with a U-Net's skips, and a timm backbone with a coordinate head. Weights come by
`build_backbone`; whoever wants speed on a CPU adds `.to(memory_format=torch.channels_last)` and bf16.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from assay.errors import MachineError
from assay.learning.backbone import build_backbone
from assay.learning.regression import RegressionHead
from assay.learning.vision.blocks import (
    SMALL,
    PlainDecoder,
    SkipDecoder,
    SmallEncoder,
    TimmEncoder,
)

Classifier = Callable[[int], nn.Module]  # width of the pooled features → head


class HeatmapNetwork(nn.Module):
    """Encoder, decoder, one convolution to the maps."""

    def __init__(
        self,
        encoder: SmallEncoder | TimmEncoder,
        decoder: SkipDecoder | PlainDecoder,
        channels: int,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.head = nn.Conv2d(decoder.outputs, channels, 1)
        nn.init.normal_(self.head.weight, std=0.001)
        nn.init.zeros_(cast("Tensor", self.head.bias))

    def forward(self, images: Tensor) -> Tensor:
        """Return maps (b, channels, h/stride, w/stride)."""
        maps: Tensor = self.head(self.decoder(self.encoder(images)))
        return maps


class CoordinateNetwork(nn.Module):
    """A backbone's pooled features, and heads for coordinates and, where asked, the class."""

    def __init__(
        self, backbone: nn.Module, head: RegressionHead, classifier: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.backbone, self.head, self.classifier = backbone, head, classifier

    def forward(self, images: Tensor) -> Tensor:
        """Return coordinates (b, K, 2); with a classifier (b, 2K + its logits), the coordinates first."""
        features = self.backbone(images)
        coordinates: Tensor = self.head(features)
        if self.classifier is None:
            return coordinates.view(len(coordinates), -1, 2)
        return torch.cat([coordinates, self.classifier(features)], dim=1)


def small_unet(
    channels: int,
    stride: int,
    widths: Sequence[int] = SMALL,
) -> HeatmapNetwork:
    """Return an untrained U-Net of `widths`, whose maps are 1/stride of the image (2, 4, 8 or 16)."""
    encoder = SmallEncoder(widths)
    decoder = SkipDecoder(encoder.channels, _reaching(encoder, stride), stride, channels)
    return HeatmapNetwork(encoder, decoder, channels)


def timm_unet(
    name: str,
    weights: str,
    root: Path,
    channels: int,
    stride: int,
) -> tuple[HeatmapNetwork, str]:
    """Return a timm backbone with a U-Net's decoder, and the digest of its first weights.

    Raises:
        MachineError: as `build_backbone`; or the backbone has no features at this stride.
    """
    backbone, digest = build_backbone(name, weights, root)
    encoder = TimmEncoder(backbone)
    decoder = SkipDecoder(encoder.channels, _reaching(encoder, stride), stride, channels)
    return HeatmapNetwork(encoder, decoder, channels), digest


def simple_baseline(
    name: str,
    weights: str,
    root: Path,
    channels: int,
) -> tuple[HeatmapNetwork, str]:
    """Return a timm backbone with three deconvolutions, and the digest of its first weights.

    Its maps are 8 times as large as the backbone's last features: stride 4 for the usual 32.

    Raises:
        MachineError: as `build_backbone`.
    """
    backbone, digest = build_backbone(name, weights, root)
    encoder = TimmEncoder(backbone)
    decoder = PlainDecoder(encoder.channels[-1])
    return HeatmapNetwork(encoder, decoder, channels), digest


def coordinate_network(
    name: str,
    weights: str,
    root: Path,
    points: int,
    hidden: Sequence[int],
    dropout: float,
    classifier: Classifier | None = None,
) -> tuple[CoordinateNetwork, str]:
    """Return a timm backbone with a coordinate head, and the digest of its first weights.

    Raises:
        MachineError: as `build_backbone`.
    """
    backbone, digest = build_backbone(name, weights, root)
    width = cast("int", backbone.head_hidden_size)
    head = RegressionHead(width, hidden, dropout, 2 * points)
    reads = None if classifier is None else classifier(width)
    return CoordinateNetwork(backbone, head, reads), digest


def _reaching(encoder: SmallEncoder | TimmEncoder, stride: int) -> list[int]:
    """Return the encoder's reductions, among which the stride must be."""
    if stride not in encoder.reductions[:-1]:
        raise MachineError(
            "model.stride",
            f"{stride}, but the backbone has features at {encoder.reductions}",
            f"one of {encoder.reductions[:-1]}",
            f"dvc exp run -S '<task>.model.stride={encoder.reductions[0]}'",
        )
    return encoder.reductions
