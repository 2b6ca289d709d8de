"""What landmark networks are made of: encoders that give features at several scales, and decoders.

An encoder turns images (b, 3, h, w) into a list of features, finest first, and says `channels` and
`reductions` of each. A decoder turns that list into one map. Nothing here upsamples bilinearly: its
gradient is not deterministic on a GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from assay.errors import MachineError

SMALL = (16, 32, 64, 96, 128)
WIDEST = 256  # channels of a decoder


def convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Return a 3 × 3 convolution, batch norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class SmallEncoder(nn.Module):
    """Halves the image at every stage, by two convolutions each, one at the first."""

    def __init__(self, widths: Sequence[int] = SMALL) -> None:
        super().__init__()
        self.channels = list(widths)
        self.reductions = [2 ** (number + 1) for number in range(len(widths))]
        self.stages = nn.ModuleList([convolution(3, widths[0], 2)])
        for inputs, outputs in pairwise(widths):
            stage = nn.Sequential(convolution(inputs, outputs, 2), convolution(outputs, outputs))
            self.stages.append(stage)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return a feature a stage."""
        features = []
        for stage in self.stages:
            images = stage(images)
            features.append(images)
        return features


class TimmEncoder(nn.Module):
    """The features of a timm network, as `build_backbone` gives it: its weights are loaded by then.

    Asks the network itself (`forward_intermediates`), not timm's `features_only`, whose tensors have
    other names: one weight file serves every head. What only the pooled output needs is cut off.
    """

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = cast("Any", backbone)
        info = self.backbone.feature_info
        self.channels = [int(each["num_chs"]) for each in info]
        self.reductions = [int(each["reduction"]) for each in info]
        if len(set(self.reductions)) < len(self.reductions):
            raise MachineError(
                "model.backbone",
                f"features at {self.reductions}: all of one scale",
                "a network that shrinks the image step by step, for example resnet18",
                "dvc exp run -S '<task>.model.backbone=<name>'",
            )
        self.backbone.prune_intermediate_layers(list(range(len(self.channels))), prune_norm=True)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return a feature a scale."""
        features: list[Tensor] = self.backbone.forward_intermediates(
            images, intermediates_only=True
        )
        return features


class SkipDecoder(nn.Module):
    """A U-Net's way up (Ronneberger et al., MICCAI 2015): enlarge, join the finer feature, convolve.

    It never has fewer channels than there are maps to be read from it by one linear layer: 29 blobs are
    not mixed from 16 features, and squared error then gives some up (small U-Net, 128 px, stride 2, after
    20 s of one thread: a mean error of 3.6 % of the side with 16 channels, 0.6 % with 29).
    """

    def __init__(
        self, channels: Sequence[int], reductions: Sequence[int], stride: int, maps: int
    ) -> None:
        super().__init__()
        below, self.outputs = channels[-1], channels[-1]
        steps = []
        for width, reduction in reversed([*zip(channels[:-1], reductions[:-1], strict=True)]):
            if reduction < stride:
                break
            self.outputs = max(min(width, WIDEST), maps)
            steps.append(convolution(below + width, self.outputs))
            below = self.outputs
        self.steps = nn.ModuleList(steps)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Return (b, outputs, h/stride, w/stride)."""
        deepest = features[-1]
        for step, skip in zip(self.steps, reversed(features[:-1]), strict=False):
            enlarged = functional.interpolate(deepest, size=skip.shape[-2:])
            deepest = step(torch.cat([enlarged, skip], dim=1))
        return deepest


class PlainDecoder(nn.Module):
    """Three 256-channel deconvolutions without skips ("simple baselines", Xiao et al., ECCV 2018)."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.outputs = WIDEST
        layers: list[nn.Module] = []
        for _ in range(3):
            layers += [
                nn.ConvTranspose2d(inputs, WIDEST, 4, 2, padding=1, bias=False),
                nn.BatchNorm2d(WIDEST),
                nn.ReLU(inplace=True),
            ]
            inputs = WIDEST
        self.steps = nn.Sequential(*layers)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Return (b, outputs, h·8/reduction, w·8/reduction)."""
        enlarged: Tensor = self.steps(features[-1])
        return enlarged
