"""The learner of an ordinary task of classes: cross-entropy, and answers that are probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from assay.contract.scored import ensure_answers
from assay.learning.targets import Classes
from assay.learning.training_spec import TrainData
from assay.learning.vision.classes import as_classes, nominal_probabilities
from assay.learning.vision.losses import ClassLoss
from assay.sections.task import P
from assay.tasks.plain_learner import PlainLearner

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from assay.learning.training_spec import Floats, Metrics, PreparedTraining, Targets
    from assay.manifest.rows import Rows
    from assay.tasks.classes import ClassTask

FEW = 16  # rows


class ClassLearner(PlainLearner[P]):
    """A learner of classes; its network says a logit of each, (b, classes)."""

    task: ClassTask[P]

    def decode(self, outputs: Tensor) -> Tensor:
        """Return the probability of each class (b, classes)."""
        return nominal_probabilities(outputs.float())

    def data(self, rows: Rows) -> TrainData:
        """Return the rows; the preflight leads the indices back to the manifest's names."""
        index = as_classes(self.task.labels(rows)[:, 0])
        return TrainData(
            rows.image, index, rows.columns[self.task.column], rows.columns["sample_id"]
        )

    def metrics(self, outputs: Floats, targets: Targets) -> Metrics:
        """Return an epoch's metrics: of what is predicted, and not of logits."""
        said = self.decode(torch.from_numpy(outputs)).numpy()
        return self.task.metrics(said, targets.astype(np.float32)[:, None])

    def loss(self) -> Callable[[Tensor, Tensor], Tensor]:
        """Return the loss of logits (b, classes) and indices (b,)."""
        return ClassLoss("cross_entropy", ())

    def target(self) -> Classes:
        """Return the classes, in the task's order."""
        return Classes(tuple(self.task.classes))

    def prepare(self, train: Rows, valid: Rows) -> PreparedTraining:
        """Return the training; what its network says is an answer, which is tried before it learns."""
        ready = super().prepare(train, valid)
        few = valid.where(np.arange(min(len(valid), FEW)))
        ensure_answers(self.task, self.predict(ready.spec.network.eval(), few), few)
        ready.spec.network.train()
        return ready
