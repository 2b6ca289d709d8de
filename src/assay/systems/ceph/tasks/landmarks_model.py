"""The networks of the landmark task: built, loaded, asked; torch and timm alone."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from assay.learning.backbone import NONE
from assay.learning.determinism import reseed
from assay.learning.inference import predict_batches
from assay.learning.transfer import carry_over, holds_network
from assay.learning.transforms import normalise
from assay.learning.vision.classes import ClassHead, nominal_probabilities
from assay.learning.vision.codecs import Coordinates, Heatmap
from assay.learning.vision.networks import (
    CoordinateNetwork,
    HeatmapNetwork,
    coordinate_network,
    simple_baseline,
    small_unet,
    timm_unet,
)
from assay.systems.ceph.tasks.names import STAGES, SYMBOLS

if TYPE_CHECKING:
    from assay.sections.task import Train
    from assay.systems.ceph.tasks.params import Model

Network = HeatmapNetwork | CoordinateNetwork

POINTS = len(SYMBOLS)
HIDDEN, DROPOUT = (512, 256), 0.3  # of the coordinate head, and dropout of the stage's


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
            stages = partial(ClassHead, classes=len(STAGES), dropout=DROPOUT)
            return coordinate_network(
                params.backbone, weights, root, POINTS, HIDDEN, DROPOUT,
                stages if params.stages else None,
            )  # fmt: skip


def backbone(network: Network) -> nn.Module:
    """Return what weights are published for, and what is frozen at first."""
    return network.encoder if isinstance(network, HeatmapNetwork) else network.backbone


def load(params: Model, weights: Path) -> nn.Module:
    """Return the trained network in eval mode."""
    network, _ = build(params, NONE, weights.parent, seed=0)
    network.load_state_dict(load_file(weights))
    return network.eval()


def says_stages(network: nn.Module) -> bool:
    """Return whether the network reads the CVM stage beside the points."""
    return isinstance(network, CoordinateNetwork) and network.classifier is not None


def outputs(network: Network) -> int:
    """Return how many numbers a prediction has; see `points.said`."""
    if isinstance(network, HeatmapNetwork):
        return 3 * POINTS
    return 2 * POINTS + (len(STAGES) if says_stages(network) else 0)


def decode(codec: Coordinates | Heatmap, said: Tensor) -> Tensor:
    """Return predictions (b, 58, 64 or 87), stored px, of a network's outputs; see `points.said`."""
    if isinstance(codec, Heatmap):
        return torch.cat([codec.decode(said).flatten(1), codec.uncertainty(said)], dim=1)
    if said.ndim == 3:
        return codec.decode(said).flatten(1)
    coordinates, logits = said[:, : 2 * POINTS], said[:, 2 * POINTS :].float()
    placed = codec.decode(coordinates)
    return torch.cat([placed, nominal_probabilities(logits)], dim=1)


def predict(
    network: nn.Module, params: Model, images: npt.NDArray[np.uint8], config: Train
) -> npt.NDArray[np.float32]:
    """Return predictions (n, 58, 64 or 87), stored px, of images (n, size, size, 3)."""
    codec = make_codec(params, images.shape[1])
    return predict_batches(
        network,
        lambda stored: decode(codec, network(normalise(stored)).float().cpu()),
        images,
        config,
    )
