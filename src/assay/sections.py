"""The sections of `params.yaml` that every system and every task has; each may widen its own."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, PlainValidator, model_validator

from assay.params import Section


class Policy(Section):
    """What is done with a fault; the gates refuse what is left."""

    conflict: Literal["stop", "drop", "group"]
    similar: Literal["stop", "group"]


class Ingest(Section):
    """How images are read, and how many may be broken."""

    size: int = Field(ge=16, le=2048, description="side of the stored images, px")
    decoder: Literal["pillow", "simplejpeg"]
    max_broken_share: float = Field(ge=0, le=1)


class Similar(Section):
    """How near-identical images are looked for."""

    nearest: int = Field(
        ge=1,
        le=100,
        description="pictures proposed for each, by hash, by colour and by local features",
    )
    radius: int = Field(
        ge=0, le=7, description="bits of 63 by which hashes of proposed pairs differ"
    )
    null_pairs: int = Field(ge=20, description="random pairs that the threshold is taken from")
    seed: int = Field(ge=0)


class Split(Section):
    """How samples are parted; by group, always."""

    test: float | Literal["none", "published"] = Field(
        description="share of the sealed test set; none; or the source's own subset `test`"
    )
    folds: int = Field(ge=2, le=50)
    strata: int = Field(ge=1, le=100, description="quantile bins of the target")
    seed: int = Field(ge=0)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if isinstance(self.test, float) and not 0 < self.test <= 0.5:
            raise ValueError(f"a test share in (0, 0.5], none, or published; found {self.test}")
        return self


class Seal(Section):
    """How often the sealed test set may be looked at."""

    looks: int = Field(
        ge=0, description="budget of one split; each model version is looked at once"
    )


class DataParams(Section):
    """The section of a system, or of a part of one."""

    source: str = Field(min_length=1)
    phantom: Section
    policy: Policy
    ingest: Ingest
    similar: Similar
    split: Split
    seal: Seal


def _patience(value: object) -> object:
    """Pass `none` or a number; a union of types would be told as two faults with paths of its own."""
    if value == "none" or (type(value) is int and value > 0):
        return value
    raise ValueError("none, or a whole number from 1")


Patience = Annotated[int | Literal["none"], PlainValidator(_patience)]


class Train(Section):
    """What the one training loop asks of every task.

    Knobs that came later have a default, at which nothing changes: models recorded before have none.
    """

    fold: int = Field(ge=0, description="the fold that validates")
    epochs: int = Field(ge=1)
    batch: int = Field(ge=1)
    accumulate: int = Field(1, ge=1, description="batches an optimiser step")
    weight_decay: float = Field(ge=0)
    seed: int = Field(ge=0)
    threads: int = Field(ge=1)
    workers: int = Field(ge=0)
    device: Literal["cpu", "cuda"]
    precision: Literal["32-true", "bf16-mixed", "16-mixed"]
    resume_every: int = Field(ge=1)
    plateau_patience: Patience = Field(
        "none", description="epochs without a better one that pass; the next lowers the rates"
    )
    plateau_factor: float = Field(
        0.1, gt=0, lt=1, description="what the rates are then multiplied by"
    )
    stop_patience: Patience = Field(
        "none", description="epochs without a better one after which the training ends"
    )

    @model_validator(mode="after")
    def _precise(self) -> Self:
        if self.precision == "16-mixed" and self.device == "cpu":
            raise ValueError("precision 16-mixed needs device cuda")
        return self


class Evaluate(Section):
    """How intervals are drawn."""

    resamples: int = Field(ge=100)
    confidence: float = Field(gt=0.5, lt=1)
    seed: int = Field(ge=0)


class Promote(Section):
    """What the door asks of a candidate beyond being better."""

    subjects: int = Field(ge=2, description="independent validation groups, at least")


class TaskParams(Section):
    """The section of a task."""

    model: Section
    train: Train
    evaluate: Evaluate
    promote: Promote
