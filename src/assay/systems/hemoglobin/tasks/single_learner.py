"""The network of the single-modality tasks, and its training: SmoothL1, AdamW, two rates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from assay.learning.backbone import build_backbone, ensure_takes
from assay.learning.regression import RegressionHead, Regressor
from assay.learning.schedules import warmup_cosine
from assay.learning.training_spec import ParamGroup
from assay.systems.hemoglobin.tasks.params import SingleParams
from assay.tasks.value_learner import ValueLearner

if TYPE_CHECKING:
    from assay.manifest.rows import Rows


class SingleLearner(ValueLearner[SingleParams]):
    """A timm backbone and the regression head; it starts at the mean of the training labels."""

    def make(self, weights: str) -> tuple[Regressor, str]:
        """Return the network, and the digest of the backbone's first weights."""
        model = self.params.model
        backbone, digest = build_backbone(model.backbone, weights, Path())
        # Some of timm's networks widen after `num_features`; and some take one image size alone, so that
        # a trial image would have to be of it.
        width = cast("int", backbone.head_hidden_size)
        head = RegressionHead(width, model.hidden, model.dropout)
        return Regressor(backbone, head).train(), digest

    def build(self, train: Rows) -> tuple[nn.Module, str]:
        """Return the network, whose untrained head says the mean of the training labels."""
        network, digest = super().build(train)
        assert isinstance(network, Regressor)
        ensure_takes(network.backbone, train.image.shape[1], f"{self.task.data}.ingest.size")
        network.head.start_at(torch.from_numpy(self.task.baseline(train, train)[0]))
        return network, digest

    def loss(self) -> nn.Module:
        """Return SmoothL1 in g/dL."""
        return nn.SmoothL1Loss(beta=self.params.train.beta)

    def param_groups(self, network: nn.Module) -> Sequence[ParamGroup]:
        """Return backbone and head, each with its own rate."""
        assert isinstance(network, Regressor)
        how = self.params.train
        rates = (
            ("backbone", network.backbone, how.backbone_lr, how.backbone_lr_final),
            ("head", network.head, how.head_lr, how.head_lr_final),
        )
        return [
            ParamGroup(
                name,
                list(part.parameters()),
                warmup_cosine(how.epochs, how.warmup_epochs, peak, final),
                peak,
            )
            for name, part, peak, final in rates
        ]
