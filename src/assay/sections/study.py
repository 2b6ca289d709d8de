"""A search over parameters of one task, as `params.yaml` declares it."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from assay.sections.section import Section


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


def has_doubles(values: list[Any]) -> bool:
    """Return whether two are equal and of one type; `True` and 1 differ."""
    shown = [repr(value) for value in values]
    return len(set(shown)) < len(shown)
