"""The networks of the CVM task: a region of the film → logits of the stage; built, loaded, asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from assay.learning.backbone import NONE, build_backbone, ensure_takes
from assay.learning.determinism import reseed, settle
from assay.learning.landmarks.blocks import SmallEncoder
from assay.learning.landmarks.classes import (
    ClassHead,
    OrdinalHead,
    nominal_chances,
    ordinal_chances,
)
from assay.learning.views import normalise
from assay.systems.ceph.tasks.names import STAGES
from assay.systems.ceph.tasks.roi import Region

if TYPE_CHECKING:
    from assay.systems.ceph.tasks.cvm_sections import CvmModel

WIDTHS = (16, 32, 64, 96)  # of the small CNN: 0.24 M parameters


class Crop(nn.Module):
    """Cuts one fixed region out of every image, and makes it `side` px wide; kept with the weights."""

    region: Tensor

    def __init__(self, region: Region, side: int) -> None:
        super().__init__()
        self.side = side
        self.register_buffer("region", torch.tensor(region))

    def forward(self, images: Tensor) -> Tensor:
        """Return (b, 3, side, side); nothing before it is trained, so that no gradient runs here."""
        left, top, extent = self.region.tolist()
        part = images[:, :, top : top + extent, left : left + extent]
        return functional.interpolate(part, (self.side, self.side), mode="bilinear", antialias=True)


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
    params: CvmModel, region: Region, weights: str, root: Path, seed: int
) -> tuple[StageNetwork, str]:
    """Return the untrained network, and the digest of its first weights."""
    reseed(seed)
    features, width, digest = _features(params, weights, root)
    head = (OrdinalHead if params.head == "ordinal" else ClassHead)(
        width, len(STAGES), params.dropout
    )
    return StageNetwork(Crop(region, params.input), features, head).train(), digest


def load(params: CvmModel, weights: Path) -> StageNetwork:
    """Return the trained network in eval mode."""
    network, _ = build(params, (0, 0, 1), NONE, weights.parent, seed=0)
    network.load_state_dict(load_file(weights))
    return network.eval()


def chances(params: CvmModel, logits: Tensor) -> npt.NDArray[np.float32]:
    """Return the probability of each stage (n, 6)."""
    said = (ordinal_chances if params.head == "ordinal" else nominal_chances)(logits.float())
    numbers: npt.NDArray[np.float32] = said.numpy()
    return numbers


def predict(
    network: StageNetwork, params: CvmModel, images: npt.NDArray[np.uint8], batch: int, threads: int
) -> npt.NDArray[np.float32]:
    """Return the probability of each stage (n, 6) of images (n, size, size, 3)."""
    settle(threads)
    found = []
    with torch.inference_mode():
        for start in range(0, len(images), batch):
            stored = np.ascontiguousarray(images[start : start + batch])
            found.append(chances(params, network(normalise(torch.from_numpy(stored)))))
    return np.concatenate(found)


def _features(params: CvmModel, weights: str, root: Path) -> tuple[nn.Module, int, str]:
    """Return what stands between crop and head, how many numbers it gives, and its first weights."""
    if params.network == "small_cnn":
        small = SmallCnn(params.input)
        return small, small.width, NONE
    if params.network == "linear":
        return nn.Flatten(), 3 * params.input**2, NONE
    backbone, digest = build_backbone(params.backbone, weights, root)
    ensure_takes(backbone, params.input)
    return backbone, cast("int", backbone.head_hidden_size), digest
