"""The networks of the landmark task; torch and timm alone."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from assay.learning.backbone import NONE
from assay.learning.transfer import carry_over, holds_network
from assay.learning.vision.classes import ClassHead
from assay.learning.vision.networks import (
    CoordinateNetwork,
    HeatmapNetwork,
    coordinate_network,
    simple_baseline,
    small_unet,
    timm_unet,
)
from assay.systems.ceph.tasks.names import COUNT, STAGES

if TYPE_CHECKING:
    from torch import nn

    from assay.systems.ceph.tasks.params import Model

Network = HeatmapNetwork | CoordinateNetwork

HIDDEN, DROPOUT = (512, 256), 0.3  # of the coordinate head, and dropout of the stage's


def make_network(params: Model, weights: str) -> tuple[Network, str]:
    """Return the untrained network, and what its first weights are: see `model.weights`.

    A file is of a backbone alone, or of a network of this task, of which is taken what fits.
    """
    carries = holds_network(Path(weights)) or (params.network == "small_unet" and weights != NONE)
    network, start = _make(params, NONE if carries else weights)
    if carries:
        start = carry_over(network, Path(weights))
    return network.train(), start


def _make(params: Model, weights: str) -> tuple[Network, str]:
    match params.network:
        case "small_unet":
            return small_unet(COUNT, params.stride), NONE
        case "timm_unet":
            return timm_unet(params.backbone, weights, Path(), COUNT, params.stride)
        case "simple_baseline":
            return simple_baseline(params.backbone, weights, Path(), COUNT)
        case "coordinates":
            stages = partial(ClassHead, classes=len(STAGES), dropout=DROPOUT)
            return coordinate_network(
                params.backbone, weights, Path(), COUNT, HIDDEN, DROPOUT,
                stages if params.stages else None,
            )  # fmt: skip


def backbone(network: Network) -> nn.Module:
    """Return what weights are published for, and what is frozen at first."""
    return network.encoder if isinstance(network, HeatmapNetwork) else network.backbone
