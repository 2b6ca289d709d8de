"""The sections of `params.yaml` that every system and every task has; each may widen its own."""

from __future__ import annotations

import itertools
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PlainValidator, field_validator, model_validator

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
    copy_: Literal["full", "packed", "none"] = Field(
        "full",
        alias="copy",
        description="what is stored of images: `full`, or `none` (opened each time, from the source)",
    )

    @field_validator("copy_")
    @classmethod
    def _possible(cls, value: str) -> str:
        if value == "packed":
            raise ValueError("packed is for structures of 0 and 1: full, or none")
        return value


class Similar(Section):
    """How near-identical images are looked for."""

    search: Literal["features", "none"] = Field(
        "features",
        description="by colour and local features; or not at all, which every verdict then tells",
    )
    nearest: int = Field(
        ge=1, le=100, description="pictures proposed for each, by colour and by local features"
    )
    null_pairs: int = Field(ge=20, description="random pairs that the threshold is taken from")
    seed: int = Field(ge=0)

    @model_validator(mode="before")
    @classmethod
    def _without_radius(cls, value: Any) -> Any:
        if isinstance(value, dict) and "radius" in value:
            raise ValueError(
                "similar without `radius`: copies are proposed by colour and local features, no longer by"
                " a hash; delete the line"
            )
        return value


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


def _clip(value: object) -> object:
    """Pass `none` or a length; a union of types would be told as two faults with paths of its own."""
    if value == "none" or (type(value) in (int, float) and value > 0):  # type: ignore[operator]
        return value
    raise ValueError("none, or a number above 0")


Clip = Annotated[float | Literal["none"], PlainValidator(_clip)]


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
    workers: Annotated[int, Field(ge=0)] | Literal["auto"]
    device: Literal["cpu", "cuda"]
    precision: Literal["32-true", "bf16-mixed", "16-mixed"]
    resume_every: int = Field(ge=1)
    resume_keep: Annotated[int, Field(ge=1)] | Literal["all"] = Field(
        1, description="states kept while a training runs, the newest"
    )
    plateau_patience: Patience = Field(
        "none", description="epochs without a better one that pass; the next lowers the rates"
    )
    plateau_factor: float = Field(
        0.1, gt=0, lt=1, description="what the rates are then multiplied by"
    )
    stop_patience: Patience = Field(
        "none", description="epochs without a better one after which the training ends"
    )
    clip: Clip = Field("none", description="largest length of a step's gradient, of all tensors")

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
    best_of: int = Field(
        1, ge=1, description="trials of which these parameters are the best; 1: none were made"
    )


class Promote(Section):
    """What the door asks of a candidate beyond being better."""

    subjects: int = Field(ge=2, description="independent validation groups, at least")


class TaskParams(Section):
    """The section of a task."""

    model: Section
    train: Train
    evaluate: Evaluate
    promote: Promote


class Range(Section):
    """Numbers from `low` to `high`, both included; whole numbers where both ends are."""

    low: int | float
    high: int | float
    log: bool = Field(False, description="whether factors are drawn alike, not differences")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low < high; found {self.low:g} and {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"low above 0 where log is true; found {self.low:g}")
        return self


class Pruner(Section):
    """When a trial that falls behind is ended early."""

    kind: Literal["median", "halving"]
    startup: int = Field(ge=0, description="trials that are finished whole before any is ended")
    epochs: int = Field(ge=1, description="that every trial is given")


class Study(Section):
    """A search over parameters of one task; read by `assay search`, by no stage."""

    objectives: dict[str, Literal["minimize", "maximize"]] = Field(
        min_length=1, max_length=3, description="metrics of the epoch that the epoch rule chooses"
    )
    space: dict[str, list[Any] | Range] = Field(
        min_length=1, description="key below the task's section → a list of choices, or a range"
    )
    fixed: dict[str, Any] = Field(
        default_factory=dict, description="key below the task's section → value, for all trials"
    )
    sampler: Literal["tpe", "random", "grid"]
    pruner: Pruner | Literal["none"]
    trials: int = Field(ge=1, description="the budget")
    seed: int = Field(ge=0)

    @field_validator("space")
    @classmethod
    def _choices(cls, space: dict[str, list[Any] | Range]) -> dict[str, list[Any] | Range]:
        for key, values in space.items():
            if isinstance(values, list) and (len(values) < 2 or has_doubles(values)):
                raise ValueError(f"{key}: two different choices or more; found {values}")
        return space

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if len(self.objectives) > 1 and self.pruner != "none":
            raise ValueError("pruner none with several objectives: no trial is behind in all")
        ranges = [key for key, values in self.space.items() if isinstance(values, Range)]
        if self.sampler == "grid" and ranges:
            raise ValueError(f"choices alone for the sampler grid; a range: {', '.join(ranges)}")
        both = sorted(self.space.keys() & self.fixed.keys())
        if both:
            raise ValueError(f"a key in space or in fixed; found in both: {', '.join(both)}")
        return self

    def corners(self, most: int) -> list[dict[str, Any]]:
        """Return what lies farthest out: every choice and end, combined; of many, each by itself."""
        ends = {
            key: values if isinstance(values, list) else [values.low, values.high]
            for key, values in self.space.items()
        }
        count = 1
        for values in ends.values():
            count *= len(values)
        if count <= most:
            return [
                dict(zip(ends, found, strict=True)) for found in itertools.product(*ends.values())
            ]
        first = {key: values[0] for key, values in ends.items()}
        return [first | {key: value} for key, values in ends.items() for value in values]


def has_doubles(values: list[Any]) -> bool:
    """Return whether two are equal and of one type; `True` and 1 differ."""
    shown = [repr(value) for value in values]
    return len(set(shown)) < len(shown)
