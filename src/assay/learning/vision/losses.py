"""Losses of landmarks, of classes, and of both: what is absent never reaches them.

An absent point is nan in `points`; the codec replaces it before any arithmetic, since a nan times zero
is nan, in the gradient too. A batch without any label gives 0, with a gradient of 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor
from torch.nn import functional

from assay.learning.targets import target_points
from assay.learning.vision.classes import ABSENT

if TYPE_CHECKING:
    from assay.learning.vision.codecs import Coordinates, Heatmap


@dataclass(frozen=True)
class HeatmapLoss:
    """Squared error of the maps, or, of a codec with logits, cross-entropy over the pixels.

    Attributes:
        codec: what encodes the points.
        offsets: weight of the local offsets' SmoothL1, in heatmap px, where the codec has them.
    """

    codec: Heatmap
    offsets: float = 0.1

    def __call__(self, outputs: Tensor, points: Tensor) -> Tensor:
        """Return the loss of outputs (b, channels, side, side) against points (b, K, 2), stored px."""
        targets, mask = self.codec.encode(points)
        outputs, count = outputs.float(), points.shape[1]
        maps, goals = outputs[:, :count], targets[:, :count]
        if self.codec.logits:
            chance = maps.flatten(2).log_softmax(dim=2)
            loss = _mean(-(goals.flatten(2) * chance).sum(dim=2), ~points.isnan().any(dim=2))
        else:
            loss = _mean((maps - goals).square(), mask[:, :count])
        if self.codec.decoder != "offset":
            return loss
        apart = functional.smooth_l1_loss(outputs[:, count:], targets[:, count:], reduction="none")
        return loss + self.offsets * _mean(apart, mask[:, count:])


@dataclass(frozen=True)
class CoordinateLoss:
    """SmoothL1 or wing loss of the coordinates, in shares of the frame as the codec has them.

    Wing loss (Feng et al., CVPR 2018): logarithmic below `width`, so that small errors still pull.

    Attributes:
        codec: what encodes the points.
        kind: which.
        width: where either becomes linear: SmoothL1's beta, wing's w.
        curvature: wing's epsilon.
    """

    codec: Coordinates
    kind: Literal["smooth_l1", "wing"] = "smooth_l1"
    width: float = 0.05
    curvature: float = 0.01

    def __call__(self, outputs: Tensor, points: Tensor) -> Tensor:
        """Return the loss of outputs (b, K, 2) against points (b, K, 2), stored px."""
        targets, mask = self.codec.encode(points)
        outputs = outputs.float()
        if self.kind == "wing":
            return _mean(self._wing((outputs - targets).abs()), mask)
        apart = functional.smooth_l1_loss(outputs, targets, reduction="none", beta=self.width)
        return _mean(apart, mask)

    def _wing(self, error: Tensor) -> Tensor:
        step = self.width - self.width * math.log1p(self.width / self.curvature)
        near = self.width * torch.log1p(error / self.curvature)
        return torch.where(error < self.width, near, error - step)


@dataclass(frozen=True)
class ClassLoss:
    """Cross-entropy, focal loss (Lin et al., ICCV 2017), or CORAL's over ordered thresholds.

    Attributes:
        kind: which; `coral` takes the logits of an `OrdinalHead`.
        weights: of the classes, or empty for equal ones; the mean is taken over the weights.
        focus: the focal loss's gamma.
    """

    kind: Literal["cross_entropy", "focal", "coral"] = "cross_entropy"
    weights: Sequence[float] = ()
    focus: float = 2.0

    def __call__(self, logits: Tensor, classes: Tensor) -> Tensor:
        """Return the loss of logits (b, …) against class indices (b,); −1 is absent."""
        present, known = classes != ABSENT, classes.clamp(min=0)
        loss = self._each(logits.float(), known)
        weights = present.to(loss)
        if self.weights:
            weights = weights * loss.new_tensor(self.weights)[known]
        whole = weights.sum()
        # Of nothing the mean is 0; divided by the least number, its gradient would overflow.
        return (loss * weights).sum() / torch.where(whole > 0, whole, 1)

    def _each(self, logits: Tensor, classes: Tensor) -> Tensor:
        """Return the loss of each row (b,)."""
        if self.kind == "coral":
            above = classes[:, None] > torch.arange(logits.shape[1], device=logits.device)
            each = functional.binary_cross_entropy_with_logits(
                logits, above.to(logits), reduction="none"
            )
            return each.sum(dim=1)
        surprise = functional.cross_entropy(logits, classes, reduction="none")
        if self.kind == "focal":
            return (1 - torch.exp(-surprise)).pow(self.focus) * surprise
        return surprise


@dataclass(frozen=True)
class JointLoss:
    """Landmarks and class of one network: the sum, the class's part by its weight.

    What is absent on either side costs nothing.
    """

    landmarks: CoordinateLoss
    classes: ClassLoss
    weight: float

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of (b, 2K coordinates, logits) against (b, 2K stored px, class or nan)."""
        points, classes = target_points(targets), targets[:, -1]
        count = points.shape[1] * 2
        said, logits = outputs[:, :count].reshape(points.shape), outputs[:, count:]
        indices = classes.nan_to_num(nan=ABSENT).long()
        return self.landmarks(said, points) + self.weight * self.classes(logits, indices)


def balanced_weights(classes: Tensor, count: int) -> tuple[float, ...]:
    """Return weights of `count` classes, inverse to how often each occurs, 1 on average over the rows.

    Args:
        classes: indices of the training rows; −1 is absent.
        count: of the classes; one that does not occur weighs 0.
    """
    occurs = torch.bincount(classes[classes != ABSENT], minlength=count).double()
    present = occurs > 0
    weights = occurs.sum() / (present.sum() * occurs.clamp(min=1)) * present
    return tuple(weights.tolist())


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of what the mask lets through; 0 where that is nothing."""
    mask = mask.expand_as(values)
    return torch.where(mask, values, 0).sum() / mask.sum().clamp(min=1)
