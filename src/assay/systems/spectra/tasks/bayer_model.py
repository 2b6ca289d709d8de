"""The networks of the task: built, loaded, asked; torch and numpy alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from assay.learning.determinism import reseed
from assay.learning.inference import predict_batches
from assay.systems.spectra.learning.averaging import Averaged
from assay.systems.spectra.learning.design import Design
from assay.systems.spectra.learning.networks import NETWORKS
from assay.systems.spectra.optics.symmetry import SYMMETRIES

if TYPE_CHECKING:
    from assay.sections.task import Train
    from assay.systems.spectra.learning.head import Head
    from assay.systems.spectra.optics.symmetry import Name
    from assay.systems.spectra.tasks.params import Model


@dataclass(frozen=True)
class Structures:
    """Stored structures as a network sees them.

    Attributes:
        side: px; from more the mean of each block is taken, which all maps commute with.
    """

    side: int

    def __call__(self, images: Tensor, training: bool) -> Tensor:
        """Return uint8 structures (b, h, w, 1) of 0 and 1 as (b, 1, side, side) in −1 … 1."""
        structures = images[..., 0].unsqueeze(1).float() * 2 - 1
        block = structures.shape[-1] // self.side
        return avg_pool2d(structures, block) if block > 1 else structures


def build(params: Model, bins: int, seed: int) -> nn.Module:
    """Return the untrained network of so many bins."""
    reseed(seed)
    own = params.model_dump(exclude={"network", "input_size"})
    network: nn.Module = NETWORKS[params.network](Design(**own, bins=bins))
    return network.train()


def set_spectra_mean(network: nn.Module, spectra: npt.NDArray[np.float32]) -> None:
    """Let the network speak about the mean of the training spectra (n, 2, 2, bins)."""
    cast("Head", network.head).centre(torch.from_numpy(spectra))


def load(params: Model, weights: Path, symmetry: Name = "none") -> nn.Module:
    """Return the trained network in eval mode, its predictions averaged over the maps of `symmetry`."""
    state = load_file(weights)
    network = build(params, state["head.mean"].shape[-1], seed=0)
    network.load_state_dict(state)
    maps = SYMMETRIES[symmetry]
    return (Averaged(network, maps) if len(maps) > 1 else network).eval()


def predict(
    network: nn.Module, side: int, images: npt.NDArray[np.uint8], config: Train
) -> npt.NDArray[np.float32]:
    """Return spectra (n, 4 · bins) of structures (n, h, w, 1), read batch by batch."""
    views = Structures(side)

    def read(stored: Tensor) -> Tensor:
        said: Tensor = network(views(stored, False))
        return said.flatten(1)

    return predict_batches(network, read, images, config)
