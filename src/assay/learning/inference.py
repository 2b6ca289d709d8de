"""Inference: what a trained network predicts, batch by batch, on the device that it was trained on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from assay.learning.determinism import set_determinism

if TYPE_CHECKING:
    from assay.sections.task import Train

Floats = npt.NDArray[np.float32]


def device_at_hand(config: Train) -> torch.device:
    """Return the declared device, or the CPU on a machine without a GPU: a model serves there too."""
    return torch.device(config.device if torch.cuda.is_available() else "cpu")


def predict_batches(
    network: nn.Module,
    read: Callable[..., Tensor],
    images: npt.NDArray[np.uint8],
    config: Train,
    covariates: Floats | None = None,
) -> Floats:
    """Return predictions (n, outputs) of images (n, h, w, channels), of several views (n, views, …).

    Args:
        network: in eval mode; it goes to the device.
        read: uint8 images (b, h, w, channels), and covariates (b, k) if there are any → predictions
            (b, outputs), by this network.
        images: as they are stored, read batch by batch.
        config: how the network was trained; threads are part of the result, as in training.
        covariates: float32 (n, k), of a network that sees some.
    """
    set_determinism(config.threads)
    device = device_at_hand(config)
    network.to(device)
    found = []
    with torch.inference_mode():
        for start in range(0, max(len(images), 1), config.batch_size):  # none: (0, outputs)
            rows = slice(start, start + config.batch_size)
            parts = [each[rows] for each in (images, covariates) if each is not None]
            batch = (torch.from_numpy(np.ascontiguousarray(part)).to(device) for part in parts)
            said = read(*batch)
            found.append(said.float().cpu().numpy())
    return np.concatenate(found)
