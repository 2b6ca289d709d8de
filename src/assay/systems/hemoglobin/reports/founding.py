"""The founding study's numbers, and what the claim check says of each.

They are of its own files. 16 rows are four people: its ACC@1 of 0.688 is 11/16, 0.750 is 12/16. It ranked
thirteen backbones a modality on the test set, took the lowest of 250 fusion models on the rows of the
external test, and weighed single fold models by rows that trained some of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from assay.learning.claims import judge_numbers, same_rows

NAIL_PATIENTS = 82  # a tenth of 823 people
TEST = 4  # patients; 16 pairs


@dataclass(frozen=True)
class Founding:
    """One line of the founding table; `None` is a number that it does not give."""

    name: str
    mae: float
    r2: float
    acc: float | None = None
    groups: int | None = None
    best_of: int = 1
    in_sample: bool = False

    def said(self) -> list[str]:
        """Return what the claim check says of it."""
        scores: dict[str, Any] = {
            "r2": {"value": self.r2}, "skill": {"value": math.nan}, "best_of": self.best_of,
            "in_sample": int(self.in_sample), "groups": self.groups or math.inf,
        }  # fmt: skip
        unknown = [] if self.groups else ["patients not stated"]
        return unknown + [check.found for check in judge_numbers(scores, "patients")]


FOUNDING = (
    Founding("single, nail", 0.792, 0.437, groups=NAIL_PATIENTS, best_of=13),
    Founding("single, conjunctiva", 0.935, 0.356, best_of=13),
    Founding("phase 1", 0.2085, 0.0203, groups=TEST, best_of=250),
    Founding("ensemble w_demo, validation", 0.646, 0.526, 0.688, TEST, 250, in_sample=True),
    Founding("ensemble w_demo, test", 0.291, -0.313, 1.0, TEST),
    Founding("ensemble wo_demo, validation", 0.811, 0.412, 0.75, TEST, 250, in_sample=True),
    Founding("ensemble wo_demo, test", 0.875, -6.238, 0.688, TEST),
)


def founding_gain() -> tuple[str, str]:
    """Return the founding gain as it is stated, and what the claim check says: two sets of people."""
    single, phase = FOUNDING[0], FOUNDING[2]
    left_out = {"only in the nail set": NAIL_PATIENTS, "only in the external test": TEST}
    refusal = same_rows(
        f"{single.name} {single.mae} on {single.groups} patients",
        f"{phase.name} {phase.mae} on {phase.groups} patients",
        left_out,
    )
    assert refusal is not None
    return "73 % lower MAE, single → phase 1", refusal.found
