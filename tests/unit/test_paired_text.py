"""The sentence of a comparison: who is better, and what keeps it from being said."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from assay.lookup import find_task
from assay.tracking.find import Found
from assay.tracking.paired import Difference, Noise, Paired
from assay.tracking.paired_text import Side, show_metrics
from assay.tracking.projection import Projection
from assay.tracking.results import Result
from assay.tracking.scored import ScoredRows

TASK = find_task("hemoglobin-conjunctiva")
NONE = ScoredRows([], *[None] * 4)  # type: ignore[arg-type]


def side(noise: Noise | None, kind: str = "patient") -> Side:
    shown = Projection("", 0, 0, {}, [], {}, {"group_kind": kind}, {})
    return Side(Found("x", "x", "", Result(TASK.name, {})), shown, NONE, {}, noise)


def said(
    one: float, other: float, half: float, sides: tuple[Side, Side], groups: int = 40
) -> list[str]:
    value = one - other
    mae = Difference("mae", one, other, value, value - half, value + half)
    console = Console(file=io.StringIO(), width=100, highlight=False, markup=False)
    show_metrics(TASK, Paired(groups, 60, 0, 0, 0, {"mae": mae}), sides, 0.95, console)
    printed = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    return [line for line in printed if line.startswith(("MAE", "to measure"))]


UNKNOWN, MEASURED = side(None), side(Noise(5, 0.04, 1, 0.04))


def test_the_lower_error_is_the_better_one() -> None:
    on = "g/dL on the same 40 patients (60 images), 5 seeds differ by 0.04: "
    [line] = said(0.7, 0.9, 0.05, (MEASURED, MEASURED))
    assert line == f"MAE −0.20 [−0.25, −0.15] {on}A is better"
    [line] = said(0.9, 0.7, 0.05, (MEASURED, MEASURED))
    assert line == f"MAE +0.20 [+0.15, +0.25] {on}B is better"


def test_what_includes_zero_is_no_difference() -> None:
    [line] = said(0.88, 0.9, 0.07, (MEASURED, MEASURED))
    assert line.startswith("MAE −0.02 [−0.09, +0.05] g/dL")
    assert line.endswith(": no difference beyond chance")


def test_a_difference_that_seeds_make_too_is_hedged() -> None:
    [line] = said(0.87, 0.9, 0.01, (UNKNOWN, MEASURED))
    assert ", 5 seeds of B differ by 0.04: A is better, yet by no more than seeds differ" in line


def test_seeds_not_measured_are_told_with_the_command() -> None:
    line, mend = said(0.7, 0.9, 0.05, (UNKNOWN, UNKNOWN))
    assert ", seeds not measured: A is better" in line
    assert mend.startswith(f"to measure seeds: assay sweep {TASK.name} train.seed")


def test_seeds_of_two_configurations_and_of_changed_code_are_told_apart() -> None:
    [line] = said(0.7, 0.9, 0.05, (side(Noise(3, 0.06, 2, 0.06)), MEASURED))
    assert (
        ", 3 seeds of A differ by 0.06, over 2 states of code; 5 seeds of B differ by 0.04: "
        in line
    )


@pytest.mark.parametrize(("kind", "counted"), [("session", "sessions"), ("content", "groups")])
def test_few_subjects_are_no_verdict(kind: str, counted: str) -> None:
    [line] = said(0.7, 0.9, 0.05, (side(Noise(5, 0.04, 1, 0.04), kind),) * 2, groups=9)
    assert line.endswith(f": 9 {counted}: too few to say")
