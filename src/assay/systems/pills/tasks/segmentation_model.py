"""The networks of the segmentation task: a U-Net to a class a cell; built, loaded, asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from safetensors.torch import load_file
from torch import Tensor, nn

from assay.learning.backbone import NONE
from assay.learning.determinism import reseed
from assay.learning.inference import predict_batches
from assay.learning.transfer import carry_over, holds_network
from assay.learning.transforms import normalise
from assay.learning.vision.networks import small_unet, timm_unet

if TYPE_CHECKING:
    from assay.learning.vision.networks import HeatmapNetwork
    from assay.sections.task import Train
    from assay.systems.pills.tasks.segmentation_params import SegmentationModel

HEAD = "head.weight"  # (classes, features, 1, 1)
# Of its first weights. Landmark maps begin at 0.001; from there classes that look alike begin alike, and
# stay so: a mean IoU of 0.46 after the demo's 24 epochs, 0.91 from 0.1.
SPREAD = 0.1


def build(
    params: SegmentationModel, classes: int, weights: str, root: Path, seed: int
) -> tuple[HeatmapNetwork, str]:
    """Return the untrained network, and what its first weights are: see `model.weights`."""
    reseed(seed)
    carries = holds_network(root / weights) or (params.network == "small_unet" and weights != NONE)
    first = NONE if carries else weights
    if params.network == "small_unet":
        network, start = small_unet(classes, params.stride), NONE
    else:
        network, start = timm_unet(params.backbone, first, root, classes, params.stride)
    nn.init.normal_(network.head.weight, std=SPREAD)
    if carries:
        start = carry_over(network, root / weights)
    return network.train(), start


def load(params: SegmentationModel, weights: Path) -> nn.Module:
    """Return the trained network in eval mode; its weights say how many classes there are."""
    state = load_file(weights)
    network, _ = build(params, len(state[HEAD]), NONE, weights.parent, seed=0)
    network.load_state_dict(state)
    return network.eval()


def decode(logits: Tensor) -> Tensor:
    """Return the likeliest class of each cell, float (b, h·w), of logits (b, classes, h, w)."""
    return logits.argmax(dim=1).flatten(1).float()


def predict(
    network: nn.Module, images: npt.NDArray[np.uint8], config: Train
) -> npt.NDArray[np.float32]:
    """Return class maps (n, cells) of images (n, size, size, 3)."""
    return predict_batches(
        network, lambda stored: decode(network(normalise(stored))), images, config
    )
