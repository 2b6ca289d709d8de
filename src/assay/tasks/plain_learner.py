"""The training of an ordinary task: AdamW at one rate, a warm-up and a cosine, augmentation by name."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from assay.learning.schedules import warmup_cosine
from assay.learning.training_spec import ParamGroup, TrainingSpec
from assay.learning.transforms import Preprocess
from assay.sections.task import P
from assay.tasks.learner import Learner

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor, nn

    from assay.learning.targets import Target
    from assay.learning.training_spec import Floats, Metrics, Targets
    from assay.manifest.rows import Rows


class PlainLearner(Learner[P]):
    """A learner that states its loss and what its targets are."""

    @abstractmethod
    def loss(self) -> Callable[[Tensor, Tensor], Tensor]:
        """Return the loss of outputs and targets."""

    @abstractmethod
    def target(self) -> Target:
        """Return what the targets are."""

    def param_groups(self, network: nn.Module) -> Sequence[ParamGroup]:
        """Return one group: `lr`, `lr_final` and `warmup_epochs` of the section `train`."""
        return [one_rate(network, self.params.train)]

    def metrics(self, outputs: Floats, targets: Targets) -> Metrics:
        """Return an epoch's metrics of the network's outputs, in label units."""
        return self.task.metrics(outputs, targets)

    def spec(self, network: nn.Module, train: Rows, valid: Rows) -> TrainingSpec:
        """Return the training of the network."""
        config: Any = self.params.train
        return TrainingSpec(
            network=network,
            loss=self.loss(),
            preprocess=Preprocess(getattr(config, "augment", ()), train.image.shape[1]),
            metrics=self.metrics,
            rank=self.task.rank,
            param_groups=self.param_groups(network),
            config=config,
            targets=self.target(),
        )


def one_rate(network: nn.Module, config: Any) -> ParamGroup:
    """Return the whole network under one rate: a warm-up, then a cosine (`WarmupCosine`)."""
    schedule = warmup_cosine(config.epochs, config.warmup_epochs, config.lr, config.lr_final)
    learning = [value for value in network.parameters() if value.requires_grad]
    return ParamGroup("network", learning, schedule, config.lr)
