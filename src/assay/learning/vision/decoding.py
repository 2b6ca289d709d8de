"""From heatmaps (b, K, h, w) to points (b, K, 2) in heatmap px; none of it is trained through.

Where a point lies within three sigma of the map's edge its blob is cut off, and every decoder but the
local offset is drawn inwards; see `codecs` for the measured size of it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

REACH = 3.0  # sigmas: half the width of windows and kernels
FARTHEST = (
    1.5  # px from the highest pixel: the summit lies in it or, at the map's edge, one beside it
)


def highest(maps: Tensor) -> Tensor:
    """Return the pixel with the largest value as (b, K, 2) int64: x, y."""
    index = maps.flatten(2).argmax(dim=2)
    width = maps.shape[-1]
    return torch.stack([index % width, index // width], dim=-1)


def soft(maps: Tensor, sigma: float) -> Tensor:
    """Return the centre of mass near the highest pixel (Sun et al., ECCV 2018, there over the map).

    Within a window of ±3 sigma: over the whole map, what is left of the background pulls every point
    towards the middle: 1 % of the peak's height weighs more than the blob on a map of 64 × 64 px.
    """
    summit = highest(maps)
    mass = maps.clamp(min=0)
    reach = math.ceil(REACH * sigma)
    x, y = (torch.arange(length, device=maps.device)[None, None] for length in maps.shape[:1:-1])
    across = ((x - summit[..., :1]).abs() <= reach).to(maps)
    down = ((y - summit[..., 1:]).abs() <= reach).to(maps)
    columns = torch.einsum("bkhw,bkh->bkw", mass, down) * across
    rows = torch.einsum("bkhw,bkw->bkh", mass, across) * down
    whole = columns.sum(dim=2).clamp(min=torch.finfo(maps.dtype).tiny)
    return torch.stack([(columns * x).sum(2) / whole, (rows * y).sum(2) / whole], dim=-1)


def dark(maps: Tensor, sigma: float) -> Tensor:
    """Return the summit by a second-order Taylor step on the log of the smoothed map.

    Distribution-aware coordinate representation (Zhang et al., CVPR 2020): the log of a Gaussian is a
    parabola, so that the step is exact; smoothing by the target's own Gaussian keeps it one. Where the
    neighbourhood is no summit, the highest pixel stands.
    """
    smoothed = _smooth(maps, sigma)
    summit = highest(smoothed)
    limits = torch.tensor([maps.shape[-1] - 2, maps.shape[-2] - 2], device=maps.device)
    centre = summit.clamp(min=1).minimum(limits)  # differences need a neighbour on either side
    hill = _around(smoothed, centre).clamp(min=1e-10).log()
    slope = torch.stack([hill[..., 1, 2] - hill[..., 1, 0], hill[..., 2, 1] - hill[..., 0, 1]], -1)
    xx = hill[..., 1, 2] - 2 * hill[..., 1, 1] + hill[..., 1, 0]
    yy = hill[..., 2, 1] - 2 * hill[..., 1, 1] + hill[..., 0, 1]
    xy = (hill[..., 2, 2] - hill[..., 2, 0] - hill[..., 0, 2] + hill[..., 0, 0]) / 4
    curvature = xx * yy - xy * xy
    x, y = (slope / 2).unbind(-1)
    step = torch.stack([xy * y - yy * x, xy * x - xx * y], -1) / curvature[..., None]
    found = centre + step.clamp(-FARTHEST, FARTHEST)
    return torch.where(((curvature > 0) & (xx < 0))[..., None], found, summit.to(maps))


def offset(maps: Tensor, offsets: Tensor) -> Tensor:
    """Return the highest pixel plus the offset that the network says there.

    As Papandreou et al., CVPR 2017, without their voting.

    Args:
        maps: (b, K, h, w).
        offsets: (b, K, 2, h, w), or (b, 1, 2, h, w) shared by all landmarks; heatmap px.
    """
    summit = highest(maps)
    width = maps.shape[-1]
    index = (summit[..., 1] * width + summit[..., 0])[..., None, None]
    along = offsets.expand(-1, maps.shape[1], -1, -1, -1).flatten(3)
    return summit + along.gather(3, index.expand(-1, -1, 2, -1))[..., 0]


def _smooth(maps: Tensor, sigma: float) -> Tensor:
    """Convolve each map with a Gaussian; what lies outside the map counts as 0.

    By two products with banded matrices: a tenth of the time of torch's convolution of single planes.
    """
    height, width = maps.shape[-2:]
    return _band(height, sigma, maps) @ maps @ _band(width, sigma, maps)


def _band(length: int, sigma: float, like: Tensor) -> Tensor:
    """Return the matrix (length, length) that smooths along one side."""
    reach = math.ceil(REACH * sigma)
    whole = torch.arange(-reach, reach + 1).to(like).square().div(-2 * sigma**2).exp().sum()
    place = torch.arange(length)
    away = (place[:, None] - place).to(like)
    return away.square().div(-2 * sigma**2).exp().masked_fill(away.abs() > reach, 0) / whole


def _around(maps: Tensor, centre: Tensor) -> Tensor:
    """Return the 3 × 3 neighbourhoods (b, K, 3, 3), indexed [y, x]."""
    width = maps.shape[-1]
    step = torch.arange(-1, 2, device=maps.device)
    near = (step[:, None] * width + step).flatten()
    index = (centre[..., 1] * width + centre[..., 0])[..., None] + near
    return maps.flatten(2).gather(2, index).view(*centre.shape[:2], 3, 3)
