"""The gate `better`: by the last epochs where both sides have one, beyond chance and beyond seeds."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from assay.lookup import find_scored, find_task
from assay.registry.promotion_gates import better
from assay.tracking.paired import Difference, Noise, Paired

TASK = find_task("hemoglobin-nail")
GAIN = Difference("mae", 0.8, 1.0, -0.2, -0.3, -0.1)
LOSS = Difference("mae", 1.1, 1.0, 0.1, 0.02, 0.2)


def judged(
    best: Difference, last: Difference | None, noise: Noise | None = None, name: str = TASK.name
) -> Any:
    scored = find_scored(name)
    differences = {scored.headline.metric: best}
    case: Any = SimpleNamespace(
        compared=Paired(20, 30, 0, 0, 0, differences, last), scored=scored, noise=noise, champion=None,
        record={"data": {"group_kind": "patient"}},
    )  # fmt: skip
    return better(case)


@pytest.mark.parametrize(("best", "last", "passes"), [(GAIN, LOSS, False), (LOSS, GAIN, True)])
def test_the_last_epoch_decides(best: Difference, last: Difference, passes: bool) -> None:
    check = judged(best, last)
    assert check.passed is passes
    assert f"MAE {last.value:+.2f} [" in check.found
    assert check.found.endswith("no seeds measured, by the last epoch")


def test_without_one_the_best_decides_and_is_called_so() -> None:
    check = judged(GAIN, None)
    assert check.passed
    assert check.found.endswith("by the best epoch, which these rows chose")
    assert judged(LOSS, None).passed is False
    # What trains nothing is made of best epochs.
    assert judged(GAIN, None, name="pills-combo").found.endswith("by the best epochs")


@pytest.mark.parametrize(
    ("last", "of_seeds", "passes", "told"),
    [
        (GAIN, 0.3, False, "0.30"),  # seeds move the last epoch more than the best of many
        (GAIN, 0.1, True, "0.10"),
        (GAIN, math.nan, True, "0.05"),  # a seed without a last epoch: what is known of the best
        (None, 0.3, True, "0.05"),
    ],
)
def test_seeds_are_held_against_the_same_epoch(
    last: Difference | None, of_seeds: float, passes: bool, told: str
) -> None:
    check = judged(GAIN, last, Noise(3, 0.05, 1, of_seeds))
    assert check.passed is passes
    assert f"3 seeds differ by {told}, by the " in check.found
