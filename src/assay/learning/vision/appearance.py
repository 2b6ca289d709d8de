"""How bright and how noisy a film looks, drawn anew for each image; nothing here moves a pixel."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from assay.learning.transforms import normalise


@dataclass(frozen=True)
class Appearance:
    """The `preprocess` of a plan for films: brightness and noise in training, normalised always.

    Brightness multiplies, so that the bars of the letterbox stay black; noise is one number a pixel, the
    same in all channels, as a film is grey.

    Attributes:
        brightness: the most to either side of 1.
        noise: the largest standard deviation, as a share of white; each image draws its own.
    """

    brightness: float = 0.1
    noise: float = 0.02

    def __call__(self, images: Tensor, training: bool) -> Tensor:
        """Return uint8 images (b, h, w, 3) as normalised float (b, 3, h, w)."""
        return normalise(self._altered(images) if training else images)

    def _altered(self, images: Tensor) -> Tensor:
        count, height, width, _ = images.shape
        device = images.device
        gain, strength = torch.rand(2, count, 1, 1, 1, device=device)
        gain = 1 + self.brightness * (2 * gain - 1)
        grain = torch.randn(count, height, width, 1, device=device) * (255 * self.noise * strength)
        return images.float().mul_(gain).add_(grain).clamp_(0, 255)
