"""What is judged of labels: rules for Great Expectations, and checks with what they found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Rule:
    """One thing that must be true of the labels, as an expectation of Great Expectations.

    `rows` says which rows it judges: `all` rows with a readable label, those `kept` for training, or
    each `subset` of the readable ones by itself.
    """

    name: str
    expectation: str
    arguments: Mapping[str, Any]
    meaning: str
    rows: str = "kept"


@dataclass(frozen=True)
class Check:
    """One check: what was expected, what was found, which rows failed."""

    name: str
    passed: bool
    expected: str
    found: str
    checked: int
    rows: Sequence[Any] = field(default_factory=tuple)
    mend: str = ""

    def line(self) -> str:
        """Return the check as one line for people."""
        return f"  {'ok  ' if self.passed else 'STOP'}  {self.name}: {self.found}"
