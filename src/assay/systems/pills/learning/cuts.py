"""Pills cut out of photographs: to a fraction of a pixel, antialiased, each in a square of its own.

Pixels: a box is x, y, w, h; its left edge is x, and the middle of the first pixel lies at 0.5. A cut
shows the padded box at one scale for both sides, its middle in the middle of the square, and black
beside it, as a stored photograph is black beside what it shows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from assay.errors import UnreadableError

REACH = 0.25  # share of its photograph's side that a cut shows without zoom; a larger pill still fills it

Images = npt.NDArray[np.uint8]
Numbers = npt.NDArray[Any]


def cut_boxes(
    image: Images, boxes: npt.ArrayLike, size: int, padding: float = 0.0, zoom: float = 1.0
) -> Images:
    """Return what the boxes show, (k, size, size, 3) uint8; bilinear with antialiasing.

    Args:
        image: (h, w, 3) uint8, of any size: a photograph, or a stored one.
        boxes: (k, 4) x, y, w, h in px of the image; they may reach beyond it, where it is black.
        size: side of a cut, px.
        padding: what is shown around a box on each side, as a share of its own side.
        zoom: 1 shows every box as large as its cut, 0 all at one scale of their photograph; see
            `scale_of`.

    Raises:
        ValueError: a box has no area, or is no number.
    """
    asked = np.asarray(boxes, np.float64).reshape(-1, 4)
    if not (np.isfinite(asked).all() and (asked[:, 2:] > 0).all()):
        raise ValueError(f"boxes x, y, w, h with an area; found {asked.tolist()}")
    cuts = np.zeros((len(asked), size, size, 3), np.uint8)
    for cut, box in zip(cuts, asked, strict=True):
        cut[:] = _cut(image, box, size, padding, zoom)
    return cuts


def scale_of(box: Numbers, size: int, padding: float, zoom: float, side: int) -> float:
    """Return px of the cut per px of the image, whose longer side has `side` px.

    A padded box of a share s < `REACH` of that side is (s / REACH)^(1 − zoom) of its cut: at 1 a cut
    does not tell how large a pill is, at 0 a small one is left few px.
    """
    shown = max(box[2], box[3]) * (1 + 2 * padding)
    share = min(1.0, shown / (REACH * side))
    return float(size / shown * share ** (1 - zoom))


def stored_boxes(boxes: Numbers, width: Numbers, height: Numbers, size: int) -> Numbers:
    """Return boxes (n, 4) of photographs as they lie in the stored squares, px; see `Frame`.

    Args:
        boxes: x, y, w, h in px of the upright original.
        width: (n,) of the originals, px.
        height: the same.
        size: side of the stored squares.
    """
    scale = size / np.maximum(width, height).astype(np.float64)
    middle = np.stack([width, height], axis=1) / 2
    corner = (boxes[:, :2] - middle) * scale[:, None] + size / 2
    stored: Numbers = np.concatenate([corner, boxes[:, 2:] * scale[:, None]], axis=1)
    return stored


def _cut(image: Images, box: Numbers, size: int, padding: float, zoom: float) -> Images:
    height, width = image.shape[:2]
    scale = scale_of(box, size, padding, zoom, max(height, width))
    down, rows, tall = _looks(box[1], box[3], height, scale, size, padding)
    across, columns, wide = _looks(box[0], box[2], width, scale, size, padding)
    window = torch.from_numpy(np.ascontiguousarray(image[rows, columns])).float()
    shown = torch.einsum("iy,yxc,jx->ijc", down, window, across)
    shown *= (tall[:, None] & wide)[..., None]
    cut: Images = shown.round().clamp(0, 255).to(torch.uint8).numpy()
    return cut


def _looks(
    start: float, extent: float, length: int, scale: float, size: int, padding: float
) -> tuple[Tensor, slice, Tensor]:
    """Return, along one side, what each px of the cut takes of which px of the image.

    Returns:
        Weights (size, m), the m px of the image that they are of, and which px of the cut show the
        padded box (size,). Weights sum to 1 less what lies beyond the image.
    """
    middle, reach = start + extent / 2, max(1.0, 1 / scale)
    offsets = (torch.arange(size, dtype=torch.float64) + 0.5 - size / 2) / scale
    at = middle + offsets - 0.5
    first, last = math.floor(at[0].item() - reach), math.ceil(at[-1].item() + reach)
    source = torch.arange(first, last + 1)
    weights = (1 - (source - at[:, None]).abs() / reach).clamp(min=0)
    weights /= weights.sum(dim=1, keepdim=True)
    inside = (source >= 0) & (source < length)
    begin = min(max(first, 0), length)
    shows = offsets.abs() <= extent * (0.5 + padding)
    return weights[:, inside].float(), slice(begin, begin + int(inside.sum())), shows


@dataclass(frozen=True)
class CutBackend:
    """A backend of `LazyImages`: cuts, each made when it is asked for.

    Attributes:
        photographs: (photographs, size, size, 3) stored, often a memory map.
        photograph: (n,) the photograph of each cut.
        boxes: (n, 4) in px of the stored photograph.
        size: side of the cuts.
        padding: as `cut_boxes` has it, (n,).
        zoom: the same, of all.
    """

    photographs: Images
    photograph: npt.NDArray[np.int64]
    boxes: Numbers
    size: int
    padding: Numbers
    zoom: float = 1.0

    @property
    def shape(self) -> tuple[int, ...]:
        """Return height, width and channels."""
        return (self.size, self.size, 3)

    def take(self, indices: npt.NDArray[np.int64]) -> Images:
        """Return the cuts (n, size, size, 3) at these indices."""
        cuts, faults = [np.empty((0, *self.shape), np.uint8)], {}
        for row, index in enumerate(indices):
            try:
                photograph = self.photographs[self.photograph[index]]
            except UnreadableError as fault:
                faults[row] = fault
                continue
            padding = float(self.padding[index])
            cuts.append(cut_boxes(photograph, self.boxes[index], self.size, padding, self.zoom))
        if faults:
            raise UnreadableError(list(faults), next(iter(faults.values())))
        return np.concatenate(cuts)
