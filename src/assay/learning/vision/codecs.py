"""One object says what a network is taught about points, and what its answer means.

`encode` and `decode` of one codec are each other's inverse up to the figures below; they share the map
between stored px and what the network speaks, so that no half pixel can get between them.

Mean error in heatmap px, on 2,000 blobs whose middles lie anywhere within a pixel, whole on a map of
64 × 64; `noise` adds normal noise of 2 % of the peak, `edge` puts the middle one sigma from the border,
which cuts the blob:

    sigma        argmax   soft     dark     offset
    1.5          0.387    0.001    0.0000   0.0000
    2            0.384    0.005    0.0000   0.0000
    3            0.380    0.006    0.0000   0.0000
    4            0.386    0.007    0.0000   0.0000
    2, bf16      0.382    0.005    0.0008   0.0006
    2, noise     0.408    0.044    0.020    0.025
    4, noise     0.580    0.051    0.020    0.025
    2, edge      0.375    0.407    0.220    0.0000

One pixel's rounding alone is 0.383. The offsets here are the exact ones; a network must learn them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from assay.learning.vision import decoding

FLOOR = 0.05  # of a map's highest value: below, a map taught by squared error is background


class Encoded(NamedTuple):
    """What a loss compares with a network's output.

    Attributes:
        targets: float32, of the output's shape; where masked a finite number that means nothing.
        mask: bool, of the same shape or broadcasting to it; `False` takes no part in the loss.
    """

    targets: Tensor
    mask: Tensor


class Codec(Protocol):
    """What tasks, losses and networks need to know of a codec."""

    def channels(self, count: int) -> int:
        """Return how many outputs (per image or per pixel) the network has for `count` landmarks."""
        ...

    def encode(self, points: Tensor) -> Encoded:
        """Return targets and mask for points (b, K, 2) in stored px; nan is masked."""
        ...

    def decode(self, outputs: Tensor) -> Tensor:
        """Return points (b, K, 2) in stored px, float32."""
        ...


@dataclass(frozen=True)
class Coordinates:
    """Coordinates as shares of the frame: its edges are at `low` and 1.

    Attributes:
        size: side of the frame, stored px.
        low: −1 or 0.
    """

    size: int
    low: Literal[-1, 0] = -1

    def channels(self, count: int) -> int:
        """Return two numbers a landmark."""
        return 2 * count

    def encode(self, points: Tensor) -> Encoded:
        """Return targets (b, K, 2) and mask (b, K, 1)."""
        present, known = _known(points)
        return Encoded((known + 0.5) / self.size * (1 - self.low) + self.low, present[..., None])

    def decode(self, outputs: Tensor) -> Tensor:
        """Return points of outputs (b, K, 2)."""
        return (outputs.float() - self.low) / (1 - self.low) * self.size - 0.5


@dataclass(frozen=True)
class Heatmap:
    """A Gaussian blob a landmark: of height 1, or with `logits` of mass 1.

    Heatmap pixel u lies at (u + 0.5)·stride − 0.5 stored px.

    Attributes:
        size: side of the frame, stored px.
        stride: stored px per heatmap px.
        sigma: of the blob, heatmap px.
        decoder: how a point is read from a map; see `decoding`.
        logits: the network says logits of a distribution over the pixels, not the blob itself.
        shared: with the decoder `offset`: one pair of offset maps for all landmarks, not one for each.
    """

    size: int
    stride: int = 4
    sigma: float = 2.0
    decoder: Literal["argmax", "soft", "dark", "offset"] = "dark"
    logits: bool = False
    shared: bool = False

    @property
    def side(self) -> int:
        """Return the side of the maps, px."""
        return self.size // self.stride

    def channels(self, count: int) -> int:
        """Return a map a landmark; local offsets are two more, each or for all."""
        pairs = 0 if self.decoder != "offset" else 1 if self.shared else count
        return count + 2 * pairs

    def encode(self, points: Tensor) -> Encoded:
        """Return targets (b, channels, side, side), and a mask that broadcasts to them."""
        present, known = _known(points)
        away = self._away((known + 0.5) / self.stride - 0.5)
        blobs = torch.exp(-away.square() / (2 * self.sigma**2))
        blobs = blobs[:, :, 1, :, None] * blobs[:, :, 0, None, :]
        if self.logits:
            blobs = blobs / blobs.sum(dim=(2, 3), keepdim=True)
        shown = present[:, :, None, None]
        if self.decoder != "offset":
            return Encoded(blobs * shown, shown)
        offsets, near = self._offsets(away, shown)
        targets = torch.cat([blobs * shown, offsets.flatten(1, 2)], dim=1)
        mask = torch.cat([shown.expand_as(blobs), near.repeat_interleave(2, dim=1)], dim=1)
        return Encoded(targets, mask)

    def decode(self, outputs: Tensor) -> Tensor:
        """Return points of outputs (b, channels, side, side)."""
        maps, offsets = self._parts(outputs)
        match self.decoder:
            case "argmax":
                found = decoding.highest(maps).float()
            case "soft":
                found = decoding.soft(maps, self.sigma)
            case "dark":
                found = decoding.dark(maps, self.sigma)
            case "offset":
                found = decoding.offset(maps, offsets)
        return (found + 0.5) * self.stride - 0.5

    def uncertainty(self, outputs: Tensor) -> Tensor:
        """Return the expected radial error (b, K), stored px: the mean distance from the decoded point.

        McCouat & Voiculescu, CVPR 2022, over the map as a distribution. A blob as it is taught has 1.25
        sigma; what lies above that is doubt. For maps taught by squared error the figure ranks, but is
        no calibrated expectation: train with `logits` for one.
        """
        maps, _ = self._parts(outputs)
        if not self.logits:
            maps = maps * (maps > FLOOR * maps.amax(dim=(2, 3), keepdim=True))
        chance = maps / maps.sum(dim=(2, 3), keepdim=True)
        away = self._away((self.decode(outputs) + 0.5) / self.stride - 0.5)
        distance = torch.hypot(away[:, :, 1, :, None], away[:, :, 0, None, :])
        return (chance * distance).sum(dim=(2, 3)) * self.stride

    def _parts(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return maps (b, K, h, w), none below 0, and offsets (b, K, 1 or 0, 2, h, w)."""
        outputs = outputs.float()
        channels = outputs.shape[1]
        count = channels
        if self.decoder == "offset":
            count = channels - 2 if self.shared else channels // 3
        maps = outputs[:, :count]
        if self.logits:
            maps = maps.flatten(2).softmax(dim=2).view_as(maps)
        return maps.clamp(min=0), outputs[:, count:].reshape(
            len(outputs), (channels - count) // 2, 2, *outputs.shape[2:]
        )

    def _away(self, points: Tensor) -> Tensor:
        """Return point minus pixel, (b, K, 2, side), for points (b, K, 2) in heatmap px."""
        pixels = torch.arange(self.side, device=points.device, dtype=points.dtype)
        return points[..., None] - pixels

    def _offsets(self, away: Tensor, shown: Tensor) -> tuple[Tensor, Tensor]:
        """Return offsets (b, K or 1, 2, h, w), and where they are taught: within one sigma of a point."""
        x, y = away[:, :, 0, None, :], away[:, :, 1, :, None]
        distance = torch.hypot(x, y).masked_fill(~shown, torch.inf)
        offsets = torch.stack([x.expand_as(distance), y.expand_as(distance)], dim=2)
        if self.shared:
            distance, nearest = distance.min(dim=1, keepdim=True)
            offsets = offsets.gather(1, nearest[:, :, None].expand(-1, -1, 2, -1, -1))
        return offsets, distance <= self.sigma


def _known(points: Tensor) -> tuple[Tensor, Tensor]:
    """Return which points (b, K) are present, and the points with zeros for the others, float32."""
    present = ~points.isnan().any(dim=-1)
    return present, torch.where(present[..., None], points, 0).float()
