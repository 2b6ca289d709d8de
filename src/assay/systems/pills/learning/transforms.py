"""Transforms of a cut-out pill: each training image draws its own; all keep the imprint.

Transforms are torchvision's v2. An image is never mirrored unless that is asked for: a mirrored imprint
is another drug's, or nobody's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torchvision.transforms import InterpolationMode, v2

from assay.learning.transforms import normalise

SMOOTH = InterpolationMode.BILINEAR


@dataclass(frozen=True)
class Looks:
    """What a training image may become.

    Attributes:
        scale: share of its area that is kept, from, to.
        ratio: of the kept part's sides, from, to.
        hflip: probability that it is mirrored.
        rotation: degrees to either side.
        jitter: of brightness, contrast, saturation, hue.
        cast: of the light of each of red, green and blue, share to either side: no change of hue gives
            a grey ground the cast of another lamp.
        operations: of RandAugment (Cubuk et al., 2019), or 0; none of them mirrors.
        magnitude: of these, 0–30.
        automatic: AutoAugment's policy for ImageNet (Cubuk et al., CVPR 2019) in their place.
    """

    scale: tuple[float, float]
    ratio: tuple[float, float]
    hflip: float
    rotation: float
    jitter: tuple[float, float, float, float]
    cast: float
    operations: int
    magnitude: int
    automatic: bool


@dataclass(frozen=True)
class PillTransform:
    """uint8 cuts (b, h, w, 3) → network input (b, 3, side, side)."""

    looks: Looks
    side: int

    @cached_property
    def augment(self) -> nn.Module:
        """Return the transform of one uint8 image (3, h, w)."""
        how = self.looks
        steps: list[nn.Module] = []
        if how.rotation:
            # Black corners, as beside a pill that is longer than wide.
            steps.append(v2.RandomRotation(how.rotation, interpolation=SMOOTH))
        steps.append(v2.RandomResizedCrop(
            self.side, how.scale, how.ratio, interpolation=SMOOTH, antialias=True
        ))  # fmt: skip
        if how.hflip:
            steps.append(v2.RandomHorizontalFlip(how.hflip))
        if how.automatic:
            steps.append(v2.AutoAugment(interpolation=SMOOTH))
        if how.operations:
            steps.append(v2.RandAugment(how.operations, how.magnitude, interpolation=SMOOTH))
        if any(how.jitter):
            steps.append(v2.ColorJitter(*how.jitter))
        return nn.Sequential(*steps)

    def __call__(self, images: Tensor, training: bool) -> Tensor:
        """Return normalised images; augmented, or their middle, where a prediction looks."""
        if not training:
            return normalise(centre_crop(images, self.side))
        planes = lit(images, self.looks.cast).permute(0, 3, 1, 2)
        drawn = torch.stack([self.augment(image) for image in planes])
        return normalise(drawn.permute(0, 2, 3, 1).contiguous())


def lit(images: Tensor, cast: float) -> Tensor:
    """Return images (b, h, w, 3), the light of each colour of each multiplied by 1 ± `cast`."""
    if not cast:
        return images
    light = 1 + cast * (2 * torch.rand(len(images), 1, 1, 3, device=images.device) - 1)
    return (images * light).round().clamp(0, 255).to(torch.uint8)


def centre_crop(images: Tensor, side: int) -> Tensor:
    """Return the middle (b, side, side, 3) of cuts (b, h, w, 3)."""
    top, left = ((length - side) // 2 for length in images.shape[1:3])
    return images[:, top : top + side, left : left + side].contiguous()
