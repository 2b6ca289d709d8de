"""The learner of an ordinary task of values: smooth L1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from assay.learning.targets import Values
from assay.learning.training_spec import TrainData
from assay.sections.task import P
from assay.tasks.plain_learner import PlainLearner

if TYPE_CHECKING:
    from assay.manifest.rows import Rows
    from assay.tasks.values import ValueTask


class ValueLearner(PlainLearner[P]):
    """A learner of one quantity; its network says it in label units, (b, 1)."""

    task: ValueTask[P]

    def loss(self) -> nn.Module:
        """Return the loss of outputs and targets, (b, 1) both."""
        return nn.SmoothL1Loss()

    def target(self) -> Values:
        """Return the quantity, its limits and its unit."""
        return Values(*self.task.limits, self.task.unit)

    def data(self, rows: Rows) -> TrainData:
        """Return the rows; the preflight holds the targets against the manifest's column."""
        column = rows.columns[self.task.column]
        return TrainData(rows.image, self.task.labels(rows), column, rows.columns["sample_id"])
