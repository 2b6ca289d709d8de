"""Where C2–C4 lie on one film, said by a small CNN; trained before the classifier, on the rule's boxes.

The rule (`roi`) needs five landmarks, and a film that is served has none. The detector is shown the
training films as a thumbnail, moved about further than the classifier's are, and learns the square
around each film's box. It is trained anew wherever its training starts anew: seeded before every step,
on the CPU, it comes to the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from assay.learning.determinism import reseed
from assay.learning.schedules import rate, warmup_cosine
from assay.learning.vision.appearance import Appearance
from assay.learning.vision.blocks import SmallEncoder
from assay.learning.vision.geometry import Warp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.learning.vision.geometry import Moves

Numbers = npt.NDArray[Any]

SIDE = 64  # px of the thumbnail
WIDTHS = (16, 32, 48, 64)
STEPS, BATCH, PEAK, LAST = 600, 16, 3e-3, 3e-5
MOVED = Warp(SIDE, rotation=10.0, scale=(0.9, 1.1), shift=0.2)
LIT = Appearance(brightness=0.1, noise=0.02)
STREAM = 1  # beside the training's own draws from one seed


class RegionNetwork(nn.Module):
    """A film → its square: centre x, y and side in shares of the stored side; 0.15 M parameters."""

    usual: Tensor

    def __init__(self, usual: Sequence[float] = (0.5, 0.5, 0.5)) -> None:
        super().__init__()
        self.encoder = SmallEncoder(WIDTHS)
        self.head = nn.Linear(WIDTHS[-1] * (SIDE // self.encoder.reductions[-1]) ** 2, 3)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.register_buffer("usual", torch.tensor(usual, dtype=torch.float32))

    def forward(self, images: Tensor) -> Tensor:
        """Return squares (b, 3) of normalised images (b, 3, size, size) of any size."""
        features = self.encoder(shrink(images))
        said: Tensor = self.usual + self.head(features[-1].flatten(1))
        return said


def shrink(images: Tensor) -> Tensor:
    """Return (b, channels, SIDE, SIDE) of images (b, channels, size, size)."""
    return functional.interpolate(images, (SIDE, SIDE), mode="bilinear", antialias=True)


def train_detector(images: npt.NDArray[np.uint8], squares: Numbers, seed: int) -> RegionNetwork:
    """Return a detector that has learned the squares, in eval mode; the same for the same arguments.

    Args:
        images: (n, size, size, 3), n at least 1.
        squares: (n, 3), without nan.
        seed: of first weights, order and moves.
    """
    small = _shrunk(images)
    wanted = torch.from_numpy(squares).float()
    reseed(seed, STREAM)
    network = RegionNetwork(wanted.mean(dim=0).tolist()).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=PEAK)
    schedule = warmup_cosine(STEPS, STEPS // 20, PEAK, LAST)
    for step in range(STEPS):
        reseed(seed, STREAM, step)
        optimiser.param_groups[0]["lr"] = rate(schedule, step + 0.5)
        rows = torch.randint(len(small), (BATCH,))
        moves = MOVED.draw(BATCH)
        said = network(LIT(MOVED.images(small[rows], moves), True))
        moved = _moved(wanted[rows], moves)
        there = moved.isfinite().all(dim=1)
        loss = (said - moved)[there].abs().sum() / (3 * there.sum()).clamp(min=1)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network.eval()


def overlap(one: Numbers, other: Numbers) -> Numbers:
    """Return intersection over union (n,) of squares (n, 3)."""
    low, high = (
        reach(*(each[:, :2] + sign * each[:, 2:] / 2 for each in (one, other)))
        for sign, reach in ((-1, np.maximum), (1, np.minimum))
    )
    common = np.clip(high - low, 0, None).prod(axis=1)
    shares: Numbers = common / (one[:, 2] ** 2 + other[:, 2] ** 2 - common)
    return shares


def _shrunk(images: npt.NDArray[np.uint8]) -> Tensor:
    """Return thumbnails as uint8 (n, SIDE, SIDE, 3), a few films at a time: sets are large."""
    parts = []
    for start in range(0, len(images), BATCH):
        part = torch.from_numpy(np.ascontiguousarray(images[start : start + BATCH]))
        small = shrink(part.permute(0, 3, 1, 2).float())
        parts.append(small.round().to(torch.uint8).permute(0, 2, 3, 1))
    return torch.cat(parts)


def _moved(squares: Tensor, moves: Moves) -> Tensor:
    """Return where the squares (b, 3) go: the centre as any point, the side by the scale; nan outside."""
    centres = MOVED.points(squares[:, None, :2] * SIDE - 0.5, moves)[:, 0]
    scale = moves.there[:, 0, :2].norm(dim=1)[:, None].to(squares)
    return torch.cat([(centres + 0.5) / SIDE, squares[:, 2:] * scale], dim=1)
