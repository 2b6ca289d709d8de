"""The networks of the CVM task: a region of the film → logits of the stage; built, loaded, asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from assay.learning.backbone import NONE, build_backbone, ensure_takes
from assay.learning.determinism import reseed
from assay.learning.inference import predict_batches
from assay.learning.transfer import carry_over, holds_network
from assay.learning.transforms import normalise
from assay.learning.vision.blocks import SmallEncoder, TimmEncoder
from assay.learning.vision.classes import (
    ClassHead,
    OrdinalHead,
    nominal_probabilities,
    ordinal_probabilities,
)
from assay.systems.ceph.tasks.cvm_crop import FixedCrop, FoundCrop
from assay.systems.ceph.tasks.detector import RegionNetwork
from assay.systems.ceph.tasks.names import STAGES

if TYPE_CHECKING:
    from assay.sections.task import Train
    from assay.systems.ceph.tasks.cvm_params import CvmModel

Crop = FixedCrop | FoundCrop

FEW = 16  # films at a time
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


def build(
    params: CvmModel, crop: Crop, weights: str, root: Path, seed: int
) -> tuple[StageNetwork, str]:
    """Return the network, untrained behind its crop, and what its first weights are."""
    reseed(seed)
    features, width, digest = _features(params, weights, root)
    head = (OrdinalHead if params.head == "ordinal" else ClassHead)(
        width, len(STAGES), params.dropout
    )
    return StageNetwork(crop, features, head).train(), digest


def load(params: CvmModel, weights: Path) -> StageNetwork:
    """Return the trained network in eval mode."""
    empty: Crop = FixedCrop((0, 0, 1), params.input_size)
    if params.finder == "detector":
        empty = FoundCrop(RegionNetwork(), params.input_size)
    network, _ = build(params, empty, NONE, weights.parent, seed=0)
    network.load_state_dict(load_file(weights))
    return network.eval()


def crop_squares(crop: Crop, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return what is cut (n, 3) of images (n, size, size, 3); see `cvm_crop`."""
    found = []
    with torch.inference_mode():
        for start in range(0, len(images), FEW):
            stored = np.ascontiguousarray(images[start : start + FEW])
            found.append(crop.eval().squares(normalise(torch.from_numpy(stored))).numpy())
    return np.concatenate(found)


def probabilities(params: CvmModel, logits: Tensor) -> Tensor:
    """Return the probability of each stage (n, 6)."""
    return (ordinal_probabilities if params.head == "ordinal" else nominal_probabilities)(
        logits.float()
    )


def predict(
    network: StageNetwork, params: CvmModel, images: npt.NDArray[np.uint8], config: Train
) -> npt.NDArray[np.float32]:
    """Return the probability of each stage (n, 6) of images (n, size, size, 3)."""
    return predict_batches(
        network, lambda stored: probabilities(params, network(normalise(stored))), images, config
    )


def _features(params: CvmModel, weights: str, root: Path) -> tuple[nn.Module, int, str]:
    """Return what stands between crop and head, how many numbers it gives, and its first weights."""
    if params.network == "small_cnn":
        small = SmallCnn(params.input_size)
        return small, small.width, NONE
    if params.network == "linear":
        return nn.Flatten(), 3 * params.input_size**2, NONE
    if params.network == "unet":
        return _unet(params, weights, root)
    backbone, digest = build_backbone(params.backbone, weights, root)
    ensure_takes(backbone, params.input_size)
    return backbone, cast("int", backbone.head_hidden_size), digest


def _unet(params: CvmModel, weights: str, root: Path) -> tuple[nn.Module, int, str]:
    """Return a U-Net's encoder; a file of a landmark network gives its own, and says how much of it."""
    carries = holds_network(root / weights)
    backbone, start = build_backbone(params.backbone, NONE if carries else weights, root)
    features = UnetFeatures(backbone)
    if carries:
        start = carry_over(features, root / weights)
    return features, features.width, start
