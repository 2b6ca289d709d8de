"""Where a point of a film lies in the stored square, where augmentation moves it, and the ways back.

Training, evaluation and pictures all ask this file: each way stands beside its inverse, once.

Pixels: x to the right, y down, and the centre of the first pixel is (0, 0), so that a picture of w
pixels reaches from −0.5 to w − 0.5. Enlarging by s takes the centre x to (x + 0.5)·s − 0.5. Leaving the
halves out shifts every point by (s − 1)/2 px: half an original pixel where a film shrinks to nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from assay.learning.vision import elastic

Numbers = npt.NDArray[Any]


@dataclass(frozen=True)
class Frame:
    """Films, or parts of films, letterboxed into a square: scaled by size / max(width, height), centred.

    The middle of what is shown lies in the middle of the square, whether or not the black bars are whole
    pixels: who makes the stored image must not round them.

    Attributes:
        width: of what is shown, original px: a number for all films, or (n,).
        height: the same.
        size: side of the square, stored px.
        left: of what is shown, original px: 0 for a whole film; the first column of a crop.
        top: the same.
    """

    width: npt.ArrayLike
    height: npt.ArrayLike
    size: int
    left: npt.ArrayLike = 0
    top: npt.ArrayLike = 0

    @property
    def scale(self) -> Numbers:
        """Return stored px per original px, (n,) or ()."""
        scale: Numbers = self.size / np.maximum(self.width, self.height).astype(np.float64)
        return scale

    def stored(self, points: Numbers) -> Numbers:
        """Return original px (n, K, 2) as stored px, float64; nan stays nan."""
        moved: Numbers = (points - self._middle()) * self._factor() + (self.size - 1) / 2
        return moved

    def original(self, points: Numbers) -> Numbers:
        """Return stored px (n, K, 2) as original px, float64; nan stays nan."""
        moved: Numbers = (points - (self.size - 1) / 2) / self._factor() + self._middle()
        return moved

    def _factor(self) -> Numbers:
        return self.scale[..., None, None]

    def _middle(self) -> Numbers:
        """Return the middle of what is shown, original px, as (n, 1, 2) or (1, 2)."""
        x, y = (
            np.asarray(start, np.float64) + (np.asarray(extent, np.float64) - 1) / 2
            for start, extent in ((self.left, self.width), (self.top, self.height))
        )
        return np.stack(np.broadcast_arrays(x, y), axis=-1)[..., None, :]


@dataclass(frozen=True)
class Moves:
    """One move an image, about the middle of the square, px.

    Attributes:
        there: (b, 2, 3) float64, where a point goes.
        back: (b, 2, 3) float64, where it came from.
        field: (b, 2, size, size) float64, what is added before `back`; none without elastic deformation.
    """

    there: Tensor
    back: Tensor
    field: Tensor | None = None


@dataclass(frozen=True)
class Warp:
    """Random moves of stored images and of their points, by the very same matrices.

    Attributes:
        size: side of the stored square, px.
        rotation: the most to either side, degrees.
        scale: from, to.
        shift: the most in either direction, as a share of the side.
        elastic: what elastic deformation adds, as a share of the side; 0 is none. See `elastic.draw`.
    """

    size: int
    rotation: float = 10.0
    scale: tuple[float, float] = (0.95, 1.05)
    shift: float = 0.03
    elastic: float = 0.0

    def draw(self, count: int) -> Moves:
        """Draw a move for each of `count` images, with torch's generator."""
        angle = math.radians(self.rotation) * _within(count)
        scale = self.scale[0] + (self.scale[1] - self.scale[0]) * (_within(count) + 1) / 2
        shift = self.shift * self.size * _within(count, 2)
        sine, cosine = angle.sin(), angle.cos()
        turn = torch.stack([cosine, -sine, sine, cosine], dim=-1).view(-1, 2, 2)
        there = scale[:, None, None] * turn
        undo = turn.transpose(1, 2) / scale[:, None, None]
        back = torch.cat([undo, -(undo @ shift[:, :, None])], dim=2)
        field = elastic.draw(count, self.size, self.elastic) if self.elastic else None
        return Moves(torch.cat([there, shift[:, :, None]], dim=2), back, field)

    def images(self, images: Tensor, moves: Moves) -> Tensor:
        """Return the moved images, of the same kind; what comes from outside the square is black.

        Args:
            images: uint8 (b, size, size, channels) or float (b, channels, size, size).
            moves: what `draw` gave.
        """
        if images.dtype == torch.uint8:
            planes = images.permute(0, 3, 1, 2).float()
            moved = self.images(planes, moves).round_().to(torch.uint8)
            return moved.permute(0, 2, 3, 1).contiguous()
        if images.shape[-2:] != (self.size, self.size):
            raise ValueError(f"images {tuple(images.shape)}, the warp is for {self.size} px")
        grid = self._grid(moves).to(images)
        return functional.grid_sample(images, grid, align_corners=False)

    def points(self, points: Tensor, moves: Moves) -> Tensor:
        """Return where points (b, K, 2), stored px, go; nan where they leave the square."""
        moved = _apply(moves.there, points - self._middle)
        if moves.field is not None:
            moved = elastic.invert_displacement(moves.field, moved)
        return inside_square(moved + self._middle, self.size).to(points)

    def back(self, points: Tensor, moves: Moves) -> Tensor:
        """Return where moved points (b, K, 2), stored px, came from."""
        away = points.double() - self._middle
        if moves.field is not None:
            away = away + elastic.displacement_at(moves.field, away)
        return (_apply(moves.back, away) + self._middle).to(points)

    @property
    def _middle(self) -> float:
        return (self.size - 1) / 2

    def _grid(self, moves: Moves) -> Tensor:
        """Return where each pixel comes from, (b, size, size, 2), with −1 and 1 at the square's edges."""
        shape = [len(moves.back), 1, self.size, self.size]
        back = moves.back.clone()
        back[:, :, 2] *= 2 / self.size
        if moves.field is None:
            return functional.affine_grid(back.float(), shape, align_corners=False)
        still = torch.eye(2, 3, dtype=back.dtype).expand(len(back), 2, 3)
        grid = functional.affine_grid(still, shape, align_corners=False)
        grid = grid + moves.field.permute(0, 2, 3, 1) * (2 / self.size)
        return _apply(back, grid.flatten(1, 2)).view_as(grid).float()


def inside_square(points: Tensor, size: int) -> Tensor:
    """Return points (b, K, 2) with nan for those outside of a square of `size` px."""
    outside = ((points < -0.5) | (points > size - 0.5)).any(dim=-1, keepdim=True)
    return points.masked_fill(outside, math.nan)


def _apply(matrices: Tensor, points: Tensor) -> Tensor:
    """Move points (b, K, 2) by matrices (b, 2, 3), in float64."""
    matrices = matrices.to(points.device)
    return points.double() @ matrices[:, :, :2].transpose(1, 2) + matrices[:, None, :, 2]


def _within(*shape: int) -> Tensor:
    """Draw float64 numbers within ±1."""
    return torch.rand(*shape, dtype=torch.float64) * 2 - 1
