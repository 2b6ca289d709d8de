"""A plan whose targets are masks: image and mask are moved together, and the loss is fed cells.

A mask holds a class a stored pixel. The network says a cell of `stride` × `stride` px at once, and its
target is the share of each class in it: what lies on a border is neither the one nor the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from assay.contract.checks import Check
from assay.learning.training_spec import TrainingSpec

if TYPE_CHECKING:
    from assay.learning.targets import Kind
    from assay.learning.training_spec import Inputs, TrainData

SPOTS = 16  # images of one patch, moved with its mask
APART = (
    0.02  # of the pixels: where a border is rounded otherwise; a flip of one side alone has 0.18
)


@dataclass(frozen=True)
class MaskTarget:
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
    gaps = False

    @property
    def shape(self) -> tuple[int, int]:
        """Return the shape of one row's target."""
        return (self.height, self.width)

    @property
    def outputs(self) -> int:
        """Return how many numbers a prediction of one row has: a class a cell."""
        return (self.height // self.stride) * (self.width // self.stride)

    def decode(self, targets: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the labels: the masks themselves."""
        return targets

    @property
    def kind(self) -> Kind:
        """Return this as one of the kinds of a plan, whose form it has."""
        return cast("Kind", self)


class Moving(Protocol):
    """Augmentation of uint8 images (b, h, w, 3) and masks (b, h, w), together."""

    def __call__(self, images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """Return both, moved alike; each image by a draw of its own."""
        ...


@dataclass(frozen=True)
class MaskSpec(TrainingSpec):
    """A training on masks.

    Attributes:
        masks: what the targets are.
        together: moves image and mask in training; none moves neither.
    """

    masks: MaskTarget | None = None
    together: Moving | None = None

    def transform(self, images: Tensor, targets: Tensor, training: bool) -> tuple[Inputs, Tensor]:
        """Return normalised images, and the share of each class in each cell (b, classes, h, w)."""
        assert self.masks is not None
        if training and self.together is not None:
            images, targets = self.together(images, targets)
        cells = class_shares(targets, len(self.masks.names), self.masks.stride)
        return self.preprocess(images, training), cells


def class_shares(masks: Tensor, classes: int, stride: int) -> Tensor:
    """Return the share of each class in each cell, float32 (b, classes, h / stride, w / stride)."""
    each = functional.one_hot(masks.long(), classes).permute(0, 3, 1, 2).float()
    return functional.avg_pool2d(each, stride)


def make_invariants(
    masks: MaskTarget, together: Moving, train: TrainData, valid: TrainData
) -> Callable[[], Sequence[Check]]:
    """Return what the preflight asks: classes within the list and in both parts; mask follows image."""
    return lambda: [judge_classes(masks, train, valid), judge_together(masks, together)]


def judge_classes(masks: MaskTarget, train: TrainData, valid: TrainData) -> Check:
    """A class that no mask shows is told, and not learned; in one part alone it is a fault."""
    count = len(masks.names)
    there = [np.isin(np.arange(256), part.targets) for part in (train, valid)]
    anywhere = there[0] | there[1]
    beyond = np.flatnonzero(anywhere)[np.flatnonzero(anywhere) >= count].tolist()
    rows = [
        {"part": part, "missing": name}
        for part, own in zip(("train", "validation"), there, strict=True)
        for number, name in enumerate(masks.names)
        if anywhere[number] and not own[number]
    ]
    found = ", ".join(f"{int(part[:count].sum())} of {count} classes" for part in there)
    nowhere = [name for number, name in enumerate(masks.names) if not anywhere[number]]
    if nowhere:
        found += f"; nowhere, and not learned: {', '.join(nowhere)}"
    if beyond:
        found += f"; numbers beyond the list: {beyond}"
    expected = f"classes 0–{count - 1}, all in train and in validation"
    checked = len(train.targets) + len(valid.targets)
    return Check("classes of masks", not rows and not beyond, expected, found, checked, rows)


def judge_together(masks: MaskTarget, together: Moving) -> Check:
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
