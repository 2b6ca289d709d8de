"""The fusion networks: two photographs of a person, and age and gender, → Hb in g/dL.

Phase 1 joins the last features of both backbones, phase 2 the last four maps of each, pooled and led to
one width. Both see what a trunk that never learns says; it is no part of the network.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from assay.learning.regression import RegressionHead

if TYPE_CHECKING:
    from assay.systems.hemoglobin.networks.parted import PartedBackbone, Steps

AGE, GENDER = 0, 1  # of the covariates (b, 2)


class FusionHead(nn.Module):
    """Features of both views, and demographics → Hb.

    Args:
        widths: of each view's parts: its features' (phase 1), or its levels' (phase 2).
        width: that each part is led to by a layer of its own; 0: joined as they are.
        others: numbers beside them.
        hidden: of the regression head.
        dropout: of the same.
    """

    def __init__(
        self, widths: Sequence[Sequence[int]], width: int, others: int, hidden: Sequence[int],
        dropout: float,
    ) -> None:  # fmt: skip
        super().__init__()
        self.widths = [list(each) for each in widths]
        self.levels = nn.ModuleList(
            nn.ModuleList(nn.Linear(channels, width) for channels in each)
            for each in widths
            if width
        )
        total = sum(width or channels for each in widths for channels in each)
        self.regression = RegressionHead(total + others, hidden, dropout)

    def forward(self, views: Sequence[Tensor], others: Sequence[Tensor]) -> Tensor:
        """Return Hb (b, 1) of each view's features (b, its widths together) and (b, others)."""
        joined = list(views)
        if self.levels:
            parts = [
                torch.split(view, own, 1) for view, own in zip(views, self.widths, strict=True)
            ]
            joined = [
                layer(part)
                for layers, own in zip(self.levels, parts, strict=True)
                for layer, part in zip(cast("nn.ModuleList", layers), own, strict=True)
            ]
        hb: Tensor = self.regression(torch.cat([*joined, *others], 1))
        return hb


class FusionNetwork(nn.Module):
    """What trunks say of both views, and age and gender where it has demographics → Hb (b, 1).

    Attributes:
        tails: the last stages of each backbone, or copies; they stand still in the first epochs.
        head: what learns from the first epoch.

    Args:
        backbones: of nail and conjunctiva.
        levels_width: phase 2, and the width that each level is led to; 0: phase 1.
        demographics: whether age and gender are seen.
        hidden: of the regression head.
        dropout: of the same.
        learns: whether the tails are copies, which learn.
    """

    age: Tensor

    def __init__(
        self, backbones: Sequence[PartedBackbone], levels_width: int, demographics: bool,
        hidden: Sequence[int], dropout: float, learns: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.is_late, self.demographics = not levels_width, demographics
        tails = (each.tail if self.is_late else each.tail.up_to_levels() for each in backbones)
        own = (copy.deepcopy(each) if learns else each for each in tails)
        self.tails = nn.ModuleList(own).requires_grad_(learns)
        widths = [[each.late] if self.is_late else each.widths for each in backbones]
        self.head = FusionHead(widths, levels_width, 2 * demographics, hidden, dropout)
        self.register_buffer("age", torch.tensor([0.0, 1.0]))  # mean and deviation, years

    @property
    def is_thawed(self) -> bool:
        """Return whether the tails learn now; until then what they say of a view stays the same."""
        return next(self.tails.parameters()).requires_grad

    @torch.no_grad()
    def fit_age(self, years: Tensor) -> None:
        """Take mean and deviation of the training patients' ages, one a patient."""
        spread = years.std(correction=0)
        self.age.copy_(torch.stack([years.mean(), spread if spread > 0 else spread + 1]))

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Return Hb in g/dL (b, 1).

        Args:
            inputs: of nail, then of conjunctiva, what the trunk says: a map (b, c, h, w) and its levels
                (b, own); or of each, what the whole backbone says (b, features). Behind them age in
                years and gender (b, 2), where it has demographics.
        """
        seen = list(inputs)
        others = [self._demographics(seen.pop())] if self.demographics else []
        if len(seen) > len(self.tails):
            pairs = zip(self.tails, seen[::2], seen[1::2], strict=True)
            seen = [self._features(cast("Steps", tail), *parts) for tail, *parts in pairs]
        return cast("Tensor", self.head(seen, others))

    def _features(self, tail: Steps, trunk: Tensor, levels: Tensor) -> Tensor:
        late, behind = tail(trunk)
        return late if self.is_late else torch.cat([levels, behind], 1)

    def _demographics(self, covariates: Tensor) -> Tensor:
        mean, spread = self.age
        age = (covariates[:, AGE] - mean) / spread
        return torch.stack([age, covariates[:, GENDER]], 1)
