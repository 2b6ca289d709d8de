"""A plan whose targets are masks: image and mask are moved together, and the loss is fed cells.

A mask holds a class a stored pixel. The network says a cell of `stride` × `stride` px at once, and its
target is the share of each class in it: what lies on a border is neither the one nor the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from assay.contract.checks import Check
from assay.learning.targets.target import Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.learning.targets.faults import Array
    from assay.learning.training_spec import Together

SPOTS = 16  # images of one patch, moved with its mask
APART = (
    0.02  # of the pixels: where a border is rounded otherwise; a flip of one side alone has 0.18
)


@dataclass(frozen=True)
class MaskTarget(Target):
    """What the targets are: uint8 (n, height, width), a class a stored pixel.

    Attributes:
        names: of the classes, by number.
        width: of the stored images, px.
        height: of the stored images, px.
        stride: stored px a cell, along each side.
    """

    names: tuple[str, ...]
    width: int
    height: int
    stride: int

    dtype = "uint8"

    @property
    def shape(self) -> tuple[int, int]:
        return (self.height, self.width)

    @property
    def outputs(self) -> int:
        return (self.height // self.stride) * (self.width // self.stride)

    @property
    def meaning(self) -> str:
        return f" in a frame of {self.width} × {self.height} px, varied"

    def coverage(self, train: Array, valid: Array, ids: Array) -> Sequence[Check]:
        """A class that no mask shows is told, and not learned; in one part alone it is a fault."""
        count = len(self.names)
        there = [np.isin(np.arange(256), part) for part in (train, valid)]
        anywhere = there[0] | there[1]
        beyond = np.flatnonzero(anywhere)[np.flatnonzero(anywhere) >= count].tolist()
        rows = [
            {"part": part, "missing": name}
            for part, own in zip(("train", "validation"), there, strict=True)
            for number, name in enumerate(self.names)
            if anywhere[number] and not own[number]
        ]
        found = ", ".join(f"{int(part[:count].sum())} of {count} classes" for part in there)
        nowhere = [name for number, name in enumerate(self.names) if not anywhere[number]]
        if nowhere:
            found += f"; nowhere, and not learned: {', '.join(nowhere)}"
        if beyond:
            found += f"; numbers beyond the list: {beyond}"
        expected = f"classes 0–{count - 1}, all in train and in validation"
        checked, fits = len(train) + len(valid), not rows and not beyond
        return [Check("classes of masks", fits, expected, found, checked, rows)]

    def for_loss(self, targets: Tensor) -> Tensor:
        """Return the share of each class in each cell, float32 (b, classes, h / stride, w / stride)."""
        return class_shares(targets, len(self.names), self.stride)


def class_shares(masks: Tensor, classes: int, stride: int) -> Tensor:
    """Return the share of each class in each cell, float32 (b, classes, h / stride, w / stride)."""
    each = functional.one_hot(masks.long(), classes).permute(0, 3, 1, 2).float()
    return functional.avg_pool2d(each, stride)


def judge_together(masks: MaskTarget, together: Together) -> Check:
    """Move an image of one white patch, far from the middle, and its mask: they must stay one."""
    said = np.zeros((SPOTS, masks.height, masks.width), np.uint8)
    said[:, masks.height // 6 : masks.height * 9 // 20, masks.width // 5 : masks.width // 2] = 1
    images = np.repeat(255 * said[..., None], 3, axis=-1)
    moved, after = together(torch.from_numpy(images), torch.from_numpy(said))
    differ = (moved[..., 0] > 127) != (after > 0)
    worst = float(differ.float().mean(dim=(1, 2)).max())
    found = f"up to {worst:.1%} of the pixels apart"
    expected = f"an image and its mask move alike, to {APART:.0%} of the pixels"
    return Check("mask follows image", worst <= APART, expected, found, SPOTS)
