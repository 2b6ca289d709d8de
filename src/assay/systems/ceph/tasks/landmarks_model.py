"""The networks of the landmark task: built, loaded, asked; torch and timm alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file
from torch import nn

from assay.learning.backbone import NONE
from assay.learning.determinism import reseed, settle
from assay.learning.landmarks.codecs import Codec, Coordinates, Heatmap
from assay.learning.landmarks.networks import (
    CoordinateNetwork,
    HeatmapNetwork,
    coordinate_network,
    simple_baseline,
    small_unet,
    timm_unet,
)
from assay.learning.transfer import carry_over, holds_network
from assay.learning.views import normalise
from assay.systems.ceph.tasks.names import SYMBOLS

if TYPE_CHECKING:
    from assay.systems.ceph.tasks.sections import Model

Network = HeatmapNetwork | CoordinateNetwork

POINTS = len(SYMBOLS)
HIDDEN, DROPOUT = (512, 256), 0.3  # of the coordinate head


def make_codec(params: Model, size: int) -> Coordinates | Heatmap:
    """Return what stands between points in stored px and the network's outputs."""
    if params.network == "coordinates":
        return Coordinates(size)
    return Heatmap(size, params.stride, params.sigma, params.decoder, params.logits)


def build(params: Model, weights: str, root: Path, seed: int) -> tuple[Network, str]:
    """Return the untrained network, and what its first weights are: see `model.weights`.

    A file is of a backbone alone, or of a network of this task, of which is taken what fits.
    """
    reseed(seed)
    carries = holds_network(root / weights) or (params.network == "small_unet" and weights != NONE)
    network, start = _make(params, NONE if carries else weights, root)
    if carries:
        start = carry_over(network, root / weights)
    return network.train(), start


def _make(params: Model, weights: str, root: Path) -> tuple[Network, str]:
    match params.network:
        case "small_unet":
            return small_unet(POINTS, params.stride), NONE
        case "timm_unet":
            return timm_unet(params.backbone, weights, root, POINTS, params.stride)
        case "simple_baseline":
            return simple_baseline(params.backbone, weights, root, POINTS)
        case "coordinates":
            return coordinate_network(params.backbone, weights, root, POINTS, HIDDEN, DROPOUT)


def backbone(network: Network) -> nn.Module:
    """Return what weights are published for, and what is frozen at first."""
    return network.encoder if isinstance(network, HeatmapNetwork) else network.backbone


def load(params: Model, weights: Path) -> nn.Module:
    """Return the trained network in eval mode."""
    network, _ = build(params, NONE, weights.parent, seed=0)
    network.load_state_dict(load_file(weights))
    return network.eval()


def predict(
    network: nn.Module, params: Model, images: npt.NDArray[np.uint8], batch: int, threads: int
) -> npt.NDArray[np.float32]:
    """Return points (n, 58), stored px, of images (n, size, size, 3)."""
    settle(threads)
    codec: Codec = make_codec(params, images.shape[1])
    found = []
    with torch.inference_mode():
        for start in range(0, len(images), batch):
            stored = np.ascontiguousarray(images[start : start + batch])
            outputs = network(normalise(torch.from_numpy(stored))).float()
            found.append(codec.decode(outputs).flatten(1).float().numpy())
    return np.concatenate(found)
