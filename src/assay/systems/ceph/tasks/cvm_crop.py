"""What of a film the CVM network sees: one fixed region, or each film's own square; cut, never trained.

A square is (centre x, centre y, side) in shares of the stored side: 0 is the outer edge of the first
pixel, 1 that of the last, so it says the same of any stored size.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from assay.learning.tensors import load_tensors
from assay.learning.transforms import normalise
from assay.systems.ceph.tasks import roi
from assay.systems.ceph.tasks.detector import RegionNetwork, overlap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.contract.bundle import Bundle
    from assay.manifest.rows import Rows
    from assay.systems.ceph.tasks.roi import Region

PREFIX = "crop."  # of its tensors among the network's
FEW = 16  # films at a time
SMALLEST = 0.1  # side of a square, as a share: what a detector says below it is no neck


class FixedCrop(nn.Module):
    """Cuts one region out of every film, and makes it `side` px wide; kept with the weights."""

    region: Tensor

    def __init__(self, region: Region, side: int) -> None:
        super().__init__()
        self.side = side
        self.register_buffer("region", torch.tensor(region))

    def squares(self, images: Tensor) -> Tensor:
        """Return the region (b, 3), the same for every image (b, 3, size, size)."""
        left, top, extent = self.region.tolist()
        square = torch.tensor([left + extent / 2, top + extent / 2, extent], device=images.device)
        return (square / images.shape[-1]).expand(len(images), 3)

    def forward(self, images: Tensor) -> Tensor:
        """Return (b, 3, side, side); nothing before it is trained, so that no gradient runs here."""
        left, top, extent = self.region.tolist()
        part = images[:, :, top : top + extent, left : left + extent]
        return functional.interpolate(part, (self.side, self.side), mode="bilinear", antialias=True)


class FoundCrop(nn.Module):
    """Cuts out of each film the square that the detector says; the detector's weights stand still."""

    def __init__(self, detector: RegionNetwork, side: int) -> None:
        super().__init__()
        self.side = side
        self.detector = detector.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> FoundCrop:
        """Change nothing in the detector: its batch norm has seen what it was trained on."""
        super().train(mode)
        self.detector.eval()
        return self

    @torch.no_grad()
    def squares(self, images: Tensor) -> Tensor:
        """Return each film's square (b, 3), moved inside the film: nothing beyond it is ever cut."""
        # Half precision would cut elsewhere in training than in serving.
        with torch.autocast(images.device.type, enabled=False):
            found = self.detector(images.float())
        side = found[:, 2:].clamp(SMALLEST, 1)
        return torch.cat([found[:, :2].clamp(side / 2, 1 - side / 2), side], dim=1)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Return (b, 3, side, side)."""
        return cut(images, self.squares(images), self.side)


Crop = FixedCrop | FoundCrop


def empty_crop(finds: bool, side: int) -> Crop:
    """Return a crop of either kind that trained tensors fit."""
    return FoundCrop(RegionNetwork(), side) if finds else FixedCrop((0, 0, 1), side)


def stored_crop(bundle: Bundle, side: int) -> Crop:
    """Return the crop that a trained network holds."""
    own = {
        name.removeprefix(PREFIX): value
        for name, value in load_tensors(bundle).items()
        if name.startswith(PREFIX)
    }
    crop = empty_crop("region" not in own, side)
    crop.load_state_dict(own)
    return crop.eval()


def crop_squares(crop: Crop, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return what is cut (n, 3) of images (n, size, size, 3), a few films at a time."""
    found = []
    with torch.inference_mode():
        for start in range(0, len(images), FEW):
            stored = np.ascontiguousarray(images[start : start + FEW])
            found.append(crop.squares(normalise(torch.from_numpy(stored))).numpy())
    return np.concatenate(found)


def tell_overlap(found: Crop, fixed: Crop, valid: Rows, rule: Sequence[float]) -> None:
    """Say how well the squares of the validation films are found, beside the one for all."""
    wanted = roi.stored_squares(valid, rule)
    there = roi.complete(wanted)
    if not there.any():
        print("detector: no validation film has the rule's five points", flush=True)
        return
    films = valid.where(there)
    own, one = (overlap(crop_squares(crop, films.image), wanted[there]) for crop in (found, fixed))
    print(
        f"detector: intersection over union with the rule's squares of {there.sum()} validation"
        f" films: mean {own.mean():.2f}, least {own.min():.2f}; one region for all: {one.mean():.2f}",
        flush=True,
    )


def cut(images: Tensor, squares: Tensor, side: int) -> Tensor:
    """Return the squares (b, 3) of images (b, channels, size, size) as (b, channels, side, side).

    `align_corners=False` puts −1 and 1 at the outer edges of the first and last pixel, of film and
    cut alike, as the shares have 0 and 1; with True they would be the pixels' middles, and each cut too
    large by size / (size − 1) and off by up to half a pixel. Sampled at least once a stored pixel, and
    then averaged: a film that is finer than the cut leaves no moiré.
    """
    fine = math.ceil(images.shape[-1] / side)
    middle, extent = 2 * squares[:, :2] - 1, squares[:, 2]
    moves = torch.zeros(len(images), 2, 3, device=images.device)
    moves[:, 0, 0] = moves[:, 1, 1] = extent
    moves[:, :, 2] = middle
    grid = functional.affine_grid(
        moves, [len(images), 1, fine * side, fine * side], align_corners=False
    )
    found = functional.grid_sample(images.float(), grid, padding_mode="border", align_corners=False)
    return functional.avg_pool2d(found, fine)
