"""Image → heatmaps or coordinates of landmarks, and with them, where asked, the logits of a class.

Four kinds: the small U-Net (0.8 M parameters, for a CPU), a timm backbone with three deconvolutions, a
timm backbone with a U-Net's skips, and a timm backbone with a coordinate head. Weights come by
`build_backbone`; whoever wants speed on a CPU adds `.to(memory_format=torch.channels_last)` and bf16.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from torch import Tensor, nn

from assay.errors import MachineError
from assay.learning.backbone import build_backbone
from assay.learning.landmarks.blocks import (
    SMALL,
    PlainDecoder,
    SkipDecoder,
    SmallEncoder,
    TimmEncoder,
)
from assay.learning.regression import RegressionHead

Outputs = Tensor | tuple[Tensor, Tensor]
Classifier = Callable[[int], nn.Module]  # width of the pooled features → head


class HeatmapNetwork(nn.Module):
    """Encoder, decoder, one convolution to the maps; the class is read from the coarsest features."""

    def __init__(
        self,
        encoder: SmallEncoder | TimmEncoder,
        decoder: SkipDecoder | PlainDecoder,
        channels: int,
        classifier: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.head = nn.Conv2d(decoder.outputs, channels, 1)
        nn.init.normal_(self.head.weight, std=0.001)
        nn.init.zeros_(cast("Tensor", self.head.bias))
        self.classifier = classifier

    def forward(self, images: Tensor) -> Outputs:
        """Return maps (b, channels, h/stride, w/stride); with a classifier also its logits (b, …)."""
        features = self.encoder(images)
        maps: Tensor = self.head(self.decoder(features))
        if self.classifier is None:
            return maps
        return maps, self.classifier(features[-1].mean(dim=(2, 3)))


class CoordinateNetwork(nn.Module):
    """A backbone's pooled features, and heads for coordinates and, where asked, the class."""

    def __init__(
        self, backbone: nn.Module, head: RegressionHead, classifier: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.backbone, self.head, self.classifier = backbone, head, classifier

    def forward(self, images: Tensor) -> Outputs:
        """Return coordinates (b, K, 2), and logits (b, …) where there is a classifier."""
        features = self.backbone(images)
        coordinates: Tensor = self.head(features).unflatten(1, (-1, 2))
        if self.classifier is None:
            return coordinates
        return coordinates, self.classifier(features)


def small_unet(
    channels: int,
    stride: int,
    classifier: Classifier | None = None,
    widths: Sequence[int] = SMALL,
) -> HeatmapNetwork:
    """Return an untrained U-Net of `widths`, whose maps are 1/stride of the image (2, 4, 8 or 16)."""
    encoder = SmallEncoder(widths)
    decoder = SkipDecoder(encoder.channels, _reaching(encoder, stride), stride, channels)
    return HeatmapNetwork(encoder, decoder, channels, _read(classifier, encoder.channels[-1]))


def timm_unet(
    name: str,
    weights: str,
    root: Path,
    channels: int,
    stride: int,
    classifier: Classifier | None = None,
) -> tuple[HeatmapNetwork, str]:
    """Return a timm backbone with a U-Net's decoder, and the digest of its first weights.

    Raises:
        MachineError: as `build_backbone`; or the backbone has no features at this stride.
    """
    backbone, digest = build_backbone(name, weights, root)
    encoder = TimmEncoder(backbone)
    decoder = SkipDecoder(encoder.channels, _reaching(encoder, stride), stride, channels)
    head = _read(classifier, encoder.channels[-1])
    return HeatmapNetwork(encoder, decoder, channels, head), digest


def simple_baseline(
    name: str,
    weights: str,
    root: Path,
    channels: int,
    classifier: Classifier | None = None,
) -> tuple[HeatmapNetwork, str]:
    """Return a timm backbone with three deconvolutions, and the digest of its first weights.

    Its maps are 8 times as large as the backbone's last features: stride 4 for the usual 32.

    Raises:
        MachineError: as `build_backbone`.
    """
    backbone, digest = build_backbone(name, weights, root)
    encoder = TimmEncoder(backbone)
    decoder = PlainDecoder(encoder.channels[-1])
    head = _read(classifier, encoder.channels[-1])
    return HeatmapNetwork(encoder, decoder, channels, head), digest


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
    return CoordinateNetwork(backbone, head, _read(classifier, width)), digest


def _read(classifier: Classifier | None, width: int) -> nn.Module | None:
    return None if classifier is None else classifier(width)


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
