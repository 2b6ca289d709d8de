"""The networks of the CVM task: a region of the film → logits of the stage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from torch import Tensor, nn

from assay.learning.backbone import NONE, build_backbone, ensure_takes
from assay.learning.transfer import carry_over, holds_network
from assay.learning.vision.blocks import SmallEncoder, TimmEncoder

if TYPE_CHECKING:
    from assay.systems.ceph.tasks.cvm_crop import Crop
    from assay.systems.ceph.tasks.cvm_params import CvmModel

WIDTHS = (16, 32, 64, 96)  # of the small CNN: 0.24 M parameters


class SmallCnn(nn.Module):
    """The small encoder's coarsest features, flat: where they lie tells how high the bodies are."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.encoder = SmallEncoder(WIDTHS)
        self.width = WIDTHS[-1] * (side // self.encoder.reductions[-1]) ** 2

    def forward(self, images: Tensor) -> Tensor:
        """Return features (b, width)."""
        features: list[Tensor] = self.encoder(images)
        return features[-1].flatten(1)


class UnetFeatures(nn.Module):
    """The way down of a landmark U-Net, averaged at its coarsest; tensors are named as there."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.encoder = TimmEncoder(backbone)
        self.width = self.encoder.channels[-1]

    def forward(self, images: Tensor) -> Tensor:
        """Return features (b, width)."""
        features: list[Tensor] = self.encoder(images)
        return features[-1].mean(dim=(2, 3))


class StageNetwork(nn.Module):
    """Normalised images (b, 3, h, w) → logits: crop, features, head."""

    def __init__(self, crop: Crop, features: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.crop, self.features, self.head = crop, features, head

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (b, 6), or (b, 5) of an ordinal head."""
        logits: Tensor = self.head(self.features(self.crop(images)))
        return logits


def make_features(params: CvmModel, weights: str) -> tuple[nn.Module, int, str]:
    """Return what stands between crop and head, how many numbers it gives, and its first weights."""
    if params.network == "small_cnn":
        small = SmallCnn(params.input_size)
        return small, small.width, NONE
    if params.network == "linear":
        return nn.Flatten(), 3 * params.input_size**2, NONE
    if params.network == "unet":
        return _unet(params, weights)
    backbone, digest = build_backbone(params.backbone, weights, Path())
    ensure_takes(backbone, params.input_size, "ceph-cvm.model.input_size")
    return backbone, cast("int", backbone.head_hidden_size), digest


def _unet(params: CvmModel, weights: str) -> tuple[nn.Module, int, str]:
    """Return a U-Net's encoder; a file of a landmark network gives its own, and says how much of it."""
    carries = holds_network(Path(weights))
    backbone, start = build_backbone(params.backbone, NONE if carries else weights, Path())
    features = UnetFeatures(backbone)
    if carries:
        start = carry_over(features, Path(weights))
    return features, features.width, start
