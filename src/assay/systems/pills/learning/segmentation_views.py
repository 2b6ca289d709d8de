"""Image and mask moved together: torchvision's transforms on its own kinds of tensors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import InterpolationMode, v2


@dataclass(frozen=True)
class Together:
    """Flips, turns, scales and shifts an image (bilinear) and its mask (nearest) by one draw.

    What comes in from outside is black in the image and ground (0) in the mask, as the bars are.

    Attributes:
        flip: chance of a horizontal flip.
        rotation: the most to either side, degrees.
        scale: from, to.
        shift: the most in either direction, share of the side.
    """

    flip: float
    rotation: float
    scale: tuple[float, float]
    shift: float

    def __call__(self, images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """Return uint8 images (b, h, w, 3) and masks (b, h, w), each pair by a draw of its own."""
        moved = [
            self._move(tv_tensors.Image(image.permute(2, 0, 1)), tv_tensors.Mask(mask))
            for image, mask in zip(images, masks, strict=True)
        ]
        pictures = torch.stack([image.as_subclass(Tensor).permute(1, 2, 0) for image, _ in moved])
        return pictures, torch.stack([mask.as_subclass(Tensor) for _, mask in moved])

    @cached_property
    def _move(self) -> v2.Transform:
        return v2.Compose([
            v2.RandomHorizontalFlip(self.flip),
            v2.RandomAffine(
                self.rotation, (self.shift, self.shift), self.scale,
                interpolation=InterpolationMode.BILINEAR,
            ),
        ])  # fmt: skip
