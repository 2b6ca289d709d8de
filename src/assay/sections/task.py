"""The section of `params.yaml` that every task has; each may widen its own."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, PlainValidator, model_validator

from assay.sections.machine import Machine
from assay.sections.section import Section


def _patience(value: object) -> object:
    """Pass `none` or a number; a union of types would be told as two faults with paths of its own."""
    if value == "none" or (type(value) is int and value > 0):
        return value
    raise ValueError("none, or a whole number from 1")


Patience = Annotated[int | Literal["none"], PlainValidator(_patience)]


def _clip(value: object) -> object:
    """Pass `none` or a length; a union of types would be told as two faults with paths of its own."""
    if value == "none" or (type(value) in (int, float) and value > 0):  # type: ignore[operator]
        return value
    raise ValueError("none, or a number above 0")


Clip = Annotated[float | Literal["none"], PlainValidator(_clip)]


ALL = "all"


def _fold(value: object) -> object:
    """Pass `all` or a number; a union of types would be told as two faults with paths of its own."""
    if value == ALL or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    raise ValueError("all, or a whole number from 0")


Fold = Annotated[int | Literal["all"], PlainValidator(_fold)]


NONE, PRETRAINED, SINGLE = "none", "pretrained", "single"


def _first_weights(value: str) -> str:
    if value in (NONE, PRETRAINED) or (value.endswith(".safetensors") and "/" not in value):
        return value
    raise ValueError(
        "none, pretrained, or the name of a .safetensors file below models/start/<task>/, where"
        " `assay weights <task> <file>` puts one"
    )


FirstWeights = Annotated[
    str,
    AfterValidator(_first_weights),
    Field(description="none, pretrained, or a file of models/start/<task>/"),
]


class Train(Machine):
    """What the one training loop asks of every task; what `machine` says stands here too.

    Knobs that came later have a default, at which nothing changes: models recorded before have none.
    """

    fold: Fold = Field(description="the fold that validates; all: each, with a training of its own")
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    accumulate_grad_batches: int = Field(1, ge=1, description="batches an optimiser step")
    weight_decay: float = Field(ge=0)
    seed: int = Field(ge=0)
    plateau_patience: Patience = Field(
        "none", description="epochs without a better one that pass; the next lowers the rates"
    )
    plateau_factor: float = Field(
        0.1, gt=0, lt=1, description="what the rates are then multiplied by"
    )
    early_stopping_patience: Patience = Field(
        "none", description="epochs without a better one after which the training ends"
    )
    gradient_clip_val: Clip = Field(
        "none", description="largest length of a step's gradient, of all tensors"
    )


class Warmup(Train):
    """A training whose rates rise over its first epochs."""

    warmup_epochs: int = Field(ge=0)

    @model_validator(mode="after")
    def _warm(self) -> Self:
        if self.warmup_epochs >= self.epochs:
            raise ValueError(f"warmup_epochs {self.warmup_epochs} below epochs {self.epochs}")
        return self


class WarmupCosine(Warmup):
    """A training with one rate: a linear warm-up, then one cosine."""

    lr: float = Field(gt=0)
    lr_final: float = Field(ge=0)


class Evaluate(Section):
    """How intervals are drawn."""

    n_resamples: int = Field(ge=100)
    confidence_level: float = Field(gt=0.5, lt=1)
    seed: int = Field(ge=0)
    best_of: int = Field(
        1, ge=1, description="trials of which these parameters are the best; 1: none were made"
    )


class Promote(Section):
    """What the door asks of a candidate beyond being better."""

    min_groups: int = Field(ge=2, description="independent validation groups, at least")


class ScoredParams(Section):
    """The section of what is scored and registered: a task, or tasks used together."""

    evaluate: Evaluate
    promote: Promote


class TaskParams(ScoredParams):
    """The section of a task."""

    model: Section
    train: Train


P = TypeVar("P", bound=TaskParams)
