"""The section of a single-modality task in `params.yaml`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from assay.sections.section import Section
from assay.sections.task import FirstWeights, TaskParams, Warmup


class Model(Section):
    """The network: a timm backbone and the regression head."""

    backbone: str
    weights: FirstWeights
    hidden: list[int] = Field(min_length=1)
    dropout: float = Field(ge=0, lt=1)


class HbTrain(Warmup):
    """How it is trained; learning rates are reached at the end of the warm-up."""

    backbone_lr: float = Field(gt=0)
    backbone_lr_final: float = Field(ge=0)
    head_lr: float = Field(gt=0)
    head_lr_final: float = Field(ge=0)
    beta: float = Field(gt=0, description="g/dL")
    augment: list[Literal["hflip", "vflip", "crop", "tilt"]]


class SingleParams(TaskParams):
    """The section of a single-modality task."""

    model: Model
    train: HbTrain
