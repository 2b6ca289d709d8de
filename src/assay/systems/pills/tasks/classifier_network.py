"""The network that names a pill: a timm backbone and one linear layer."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from assay.learning.backbone import build_backbone, ensure_takes

if TYPE_CHECKING:
    from assay.systems.pills.tasks.classifier_params import ClassifierModel

Ids = npt.NDArray[np.int64]


class DrugNetwork(nn.Module):
    """Normalised images (b, 3, h, w) → logits (b, drugs).

    Which drug a logit is, and how many training rows it rests on, stand among the weights: an id is
    never guessed from an order.

    Attributes:
        ids: (drugs,) class ids, ascending.
        counts: (drugs,) training rows; a drug without any keeps its logit, and is never named.
        turns: how many ways round an image is looked at, but in training.
    """

    def __init__(
        self, backbone: nn.Module, ids: Ids, counts: Ids, dropout: float, turns: int
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.turns = turns
        width = cast("int", backbone.head_hidden_size)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, len(ids)))
        self.ids: Tensor
        self.counts: Tensor
        self.register_buffer("ids", torch.from_numpy(ids))
        self.register_buffer("counts", torch.from_numpy(counts))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits; of several turns, the logarithm of their mean probabilities."""
        if self.training or self.turns == 1:
            logits: Tensor = self.head(self.backbone(images))
            return logits
        quarters = range(0, 4, 4 // self.turns)
        seen = [self.head(self.backbone(images.rot90(each, (2, 3)))) for each in quarters]
        return torch.stack(seen).float().log_softmax(dim=2).logsumexp(dim=0) - math.log(len(seen))

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return probabilities (b, C) over the class table; nan for drugs never trained."""
        trained = self.counts > 0
        said = logits.float().masked_fill(~trained, -torch.inf).softmax(dim=1)
        table = said.new_full((len(said), int(self.ids.max()) + 1), torch.nan)
        table[:, self.ids[trained]] = said[:, trained]
        return table


def build(params: ClassifierModel, weights: str, ids: Ids, counts: Ids) -> tuple[DrugNetwork, str]:
    """Return the untrained network, and what its first weights are; see `build_backbone`."""
    backbone, digest = build_backbone(params.backbone, weights, Path())
    ensure_takes(backbone, params.input_size, "pills-classifier.model.input_size")
    return DrugNetwork(backbone, ids, counts, params.dropout, params.tta_rotations).train(), digest
