"""Smooth random displacement of an image's pixels, and its numerical inverse for points.

As Simard et al., ICDAR 2003, but drawn on a coarse lattice and made smooth by bicubic interpolation: a
bound on the lattice then bounds the slope, so that no pixel passes its neighbour and the inverse exists.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

LATTICE = 4  # knots a side
STEEPEST = 0.02  # share of the side: slopes stay below 0.34, over 20,000 extreme lattices
STEPS = 20  # each leaves a third of the distance at most: 20 take 10 px to 3e-9


def draw(count: int, size: int, most: float) -> Tensor:
    """Draw fields (count, 2, size, size) of displacements in px.

    At the knots they are within ±most·size; between them the curve may swing out to 1.4 times that.

    Raises:
        ValueError: `most` is so large that the field could fold.
    """
    if not 0 < most <= STEEPEST:
        raise ValueError(f"elastic {most}, expected within (0, {STEEPEST}]")
    knots = torch.rand(count, 2, LATTICE, LATTICE, dtype=torch.float64) * 2 - 1
    field = functional.interpolate(knots, (size, size), mode="bicubic", align_corners=True)
    return field * (most * size)


def displacement_at(field: Tensor, away: Tensor) -> Tensor:
    """Return the displacement (b, K, 2) at points given from the middle of the square, px."""
    size = field.shape[-1]
    grid = (away * (2 / size)).nan_to_num()[:, :, None]
    found = functional.grid_sample(field.to(away), grid, padding_mode="border", align_corners=False)
    return found[..., 0].transpose(1, 2)


def invert_displacement(field: Tensor, aims: Tensor) -> Tensor:
    """Return the points (b, K, 2) from the middle whose displacement takes them to `aims`."""
    points = aims
    for _ in range(STEPS):
        points = aims - displacement_at(field, points)
    return points
