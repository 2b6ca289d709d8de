"""Classes in an order (stages, grades): heads that read them from features, and what their logits mean.

Class indices are integers from 0 on, end to end; −1 is an absent label and takes no part in any loss.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

ABSENT = -1


def as_classes(labels: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
    """Return class indices (n,) of labels (n,) in which an absent class is nan."""
    return np.where(np.isnan(labels), ABSENT, labels).astype(np.int64)


class ClassHead(nn.Sequential):
    """Dropout and one linear layer: features (b, width) → logits (b, classes)."""

    def __init__(self, width: int, classes: int, dropout: float = 0.0) -> None:
        super().__init__(nn.Dropout(dropout), nn.Linear(width, classes))


class OrdinalHead(nn.Module):
    """CORAL (Cao et al., Pattern Recognition Letters 140, 2020): features → logits (b, classes − 1).

    The k-th says whether the class is above k. One direction for all and a threshold each keep the
    answers in order.
    """

    def __init__(self, width: int, classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.direction = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, 1, bias=False))
        self.thresholds = nn.Parameter(torch.linspace(1, -1, classes - 1))

    def forward(self, features: Tensor) -> Tensor:
        """Return logits (b, classes − 1)."""
        logits: Tensor = self.direction(features) + self.thresholds
        return logits


def nominal_probabilities(logits: Tensor) -> Tensor:
    """Return the probability of each class (b, classes) of logits (b, classes)."""
    return logits.softmax(dim=1)


def ordinal_probabilities(logits: Tensor) -> Tensor:
    """Return the probability of each class (b, classes) of CORAL's logits (b, classes − 1).

    Each is what lies between two thresholds; where training left two of them in the wrong order there
    is nothing between them, and the rest is scaled to a sum of 1.
    """
    above = logits.sigmoid()
    ends = torch.ones_like(above[:, :1]), torch.zeros_like(above[:, :1])
    between = (torch.cat([ends[0], above], dim=1) - torch.cat([above, ends[1]], dim=1)).clamp(min=0)
    return between / between.sum(dim=1, keepdim=True)


def middle_classes(probabilities: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
    """Return the class (n,) in the middle of each distribution (n, classes): the median.

    Of ordered classes it is expected to be off by the least. It is CORAL's own rule, how many thresholds
    are passed with more than one half; where one class has more than half, it is that.
    """
    below = probabilities.cumsum(axis=1)[:, :-1]
    middle: npt.NDArray[np.int64] = (below < 0.5).sum(axis=1)
    return middle
