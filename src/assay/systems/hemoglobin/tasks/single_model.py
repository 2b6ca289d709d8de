"""The network of the single-modality tasks: built, loaded, asked; torch and timm alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt
from safetensors.torch import load_file

from assay.learning.backbone import NONE, build_backbone
from assay.learning.determinism import reseed
from assay.learning.inference import predict_batches
from assay.learning.regression import RegressionHead, Regressor
from assay.learning.transforms import normalise

if TYPE_CHECKING:
    from assay.sections.task import Train
    from assay.systems.hemoglobin.tasks.params import Model


def build(params: Model, weights: str, root: Path, seed: int) -> tuple[Regressor, str]:
    """Return the untrained network, and the digest of the backbone's first weights."""
    reseed(seed)
    backbone, digest = build_backbone(params.backbone, weights, root)
    # Some of timm's networks widen after `num_features`; and some take one image size alone, so that
    # a trial image would have to be of it.
    width = cast("int", backbone.head_hidden_size)
    head = RegressionHead(width, params.hidden, params.dropout)
    return Regressor(backbone, head).train(), digest


def load(params: Model, weights: Path) -> Regressor:
    """Return the trained network in eval mode."""
    network, _ = build(params, NONE, weights.parent, seed=0)
    network.load_state_dict(load_file(weights))
    return network.eval()


def predict(
    network: Regressor, images: npt.NDArray[np.uint8], config: Train
) -> npt.NDArray[np.float32]:
    """Return Hb in g/dL (n, 1)."""
    return predict_batches(network, lambda stored: network(normalise(stored)), images, config)
