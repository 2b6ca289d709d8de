"""Claims: a number, or a gain, as somebody wants to state it, with what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, FiniteFloat, model_validator

from assay.runs.summary import COUNTED
from assay.sections.section import Section

Kind = Literal["patient", "session", "content", "sample"]


class Interval(Section):
    """An interval, what it was made from, and what it is called by."""

    low: FiniteFloat = Field(description="its lower end")
    high: FiniteFloat = Field(description="its upper end")
    drawn: Kind = Field(description="what was drawn, a row or a whole group")
    by: Kind = Field(description="what the statement says was drawn")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low ≤ high; found {self.low:g} > {self.high:g}")
        return self


class Claim(Section):
    """One number. Nothing that decides a refusal has a default: silence would pass for innocence."""

    metric: str = Field(min_length=1, description="for example mae")
    value: FiniteFloat = Field(description="the number")
    unit: str = Field("", description="of the value, or empty")
    best: float = Field(0.0, description="what a perfect prediction has: 0 for an error, 1 for R²")
    set: str = Field(min_length=1, description="digest or name of the set it was scored on")
    subjects: int = Field(ge=1, description="independent groups of that set")
    rows: int = Field(ge=1, description="rows of that set")
    group_kind: Kind = Field(description="what a group of that set is known to be")
    interval: Interval | None = Field(None, description="low, high, and what it is by")
    spread: FiniteFloat | None = Field(
        None, description="the metric of the mean of the set's own labels; for an RMSE their SD"
    )
    r2: FiniteFloat | None = Field(None, le=1, description="R² on the same rows")
    best_of: int | None = Field(
        ge=1,
        description="of how many results on this very set it is the best: 1 where nothing was "
        "chosen on it, null where nobody knows",
    )
    says_so: bool = Field(False, description="whether the statement gives that number")

    @model_validator(mode="after")
    def _countable(self) -> Self:
        if self.rows < self.subjects:
            raise ValueError(f"a row a subject at least; found {self.rows} of {self.subjects}")
        return self

    def text(self) -> str:
        """Return the number as it would be stated."""
        given = self.interval
        between = f" [{given.low:g}, {given.high:g}] by {given.by}" if given else ""
        return f"{self.metric.upper()} {self.value:g} {self.unit}".rstrip() + between

    def rests_on(self) -> str:
        """Return the set, and how many subjects and rows it has."""
        return f"{self.set}, {self.subjects} {self.counted}, {self.rows} rows"

    @property
    def counted(self) -> str:
        return COUNTED.get(self.group_kind, "images")


@dataclass(frozen=True)
class Gain:
    """Two numbers and the change between them, as a difference or in per cent of the first.

    The change is always reckoned from the two, never taken over.
    """

    before: Claim
    after: Claim
    stated: Literal["difference", "per cent"]

    def text(self) -> str:
        """Return the gain as it would be stated; what has no per cent, as a difference."""
        old, new = self.before.value, self.after.value
        unit = f" {self.after.unit}" if self.after.unit else ""
        per_cent = self.stated == "per cent" and old > 0
        change = f"{100 * (new - old) / old:+.1f} %" if per_cent else f"{new - old:+.4g}{unit}"
        return f"{self.after.metric.upper()} {old:g} → {new:g}{unit}, {change}"
