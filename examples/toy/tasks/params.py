"""The section `toy-level` of `params.yaml`."""

from __future__ import annotations

from pydantic import Field

from assay.sections.section import Section
from assay.sections.task import TaskParams, Train


class Model(Section):
    """The network."""

    channels: int = Field(ge=1)


class ToyTrain(Train):
    """How it is trained."""

    lr: float = Field(gt=0)


class ToyTaskParams(TaskParams):
    """The section `toy-level`."""

    model: Model
    train: ToyTrain
