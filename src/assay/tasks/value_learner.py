"""The learner of an ordinary task of values: AdamW, a warm-up and a cosine, smooth L1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn

from assay.learning.schedules import warmup_cosine
from assay.learning.targets import Values
from assay.learning.training_spec import ParamGroup, TrainData, TrainingSpec
from assay.learning.transforms import Preprocess
from assay.sections.task import P
from assay.tasks.learner import Learner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.manifest.rows import Rows
    from assay.tasks.values import ValueTask


class ValueLearner(Learner[P]):
    """A learner of one quantity; its network says it in label units, (b, 1)."""

    task: ValueTask[P]

    def loss(self) -> nn.Module:
        """Return the loss of outputs and targets, (b, 1) both."""
        return nn.SmoothL1Loss()

    def data(self, rows: Rows) -> TrainData:
        """Return the rows; the preflight holds the targets against the manifest's column."""
        column = rows.columns[self.task.column]
        return TrainData(rows.image, self.task.labels(rows), column, rows.columns["sample_id"])

    def param_groups(self, network: nn.Module) -> Sequence[ParamGroup]:
        """Return one group: `lr`, `lr_final` and `warmup_epochs` of the section `train`."""
        return [one_rate(network, self.params.train)]

    def spec(self, network: nn.Module, train: Rows, valid: Rows) -> TrainingSpec:
        """Return the training of the network."""
        config: Any = self.params.train
        return TrainingSpec(
            network=network,
            loss=self.loss(),
            preprocess=Preprocess(getattr(config, "augment", ()), train.image.shape[1]),
            metrics=self.task.metrics,
            rank=self.task.rank,
            param_groups=self.param_groups(network),
            config=config,
            targets=Values(*self.task.limits, self.task.unit),
        )


def one_rate(network: nn.Module, config: Any) -> ParamGroup:
    """Return the whole network under one rate: a warm-up, then a cosine (`WarmupCosine`)."""
    schedule = warmup_cosine(config.epochs, config.warmup_epochs, config.lr, config.lr_final)
    learning = [value for value in network.parameters() if value.requires_grad]
    return ParamGroup("network", learning, schedule, config.lr)
