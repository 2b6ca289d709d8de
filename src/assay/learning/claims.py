"""What may be said of a result: rules over its own files, a check each; no fact is typed by a person.

A check that failed is refused: a change between two numbers of different rows shows how hard each set is,
not which model is better. One that passed is a remark, which stands beside the number wherever it is
printed: it is true, and proves little.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from assay.contract.checks import Check
from assay.contract.scored import scoring_stage

if TYPE_CHECKING:
    from assay.contract.scored import Scored

SUBJECTS = {
    "patient": "patients",
    "session": "sessions",
}  # below them rows are no independent subjects
OUT_OF_FOLD = (
    "out_of_fold"  # how a model's parts are to be chosen: by rows that trained none of them
)
# A 95 % percentile interval of an MAE holds the truth less often than it says, the less the fewer the
# subjects. Of 20,000 draws of normal errors, 2,000 resamples each: 79 % at n = 4, 84 % at 6, 87 % at 8,
# 89 % at 10, 91 % at 15, 92 % at 20. At 10 it misses one time in nine instead of one in twenty, three
# times of four by lying too low; below that an interval is no help to a reader.
FEWEST = 10


def rests_on(kind: str, groups: int, rows: int) -> str:
    """Return what numbers rest on: "23 patients (104 images)", "37 images in 23 groups", "23 images"."""
    if groups == rows:
        return f"{groups} {counted(kind, groups, rows)}"
    known = SUBJECTS.get(kind)
    return f"{groups} {known} ({rows} images)" if known else f"{rows} images in {groups} groups"


def counted(kind: str, groups: int, rows: int) -> str:
    """Return what the groups are called: a group of one image is that image."""
    return SUBJECTS.get(kind, "images" if groups == rows else "groups")


def judge_result(scored: Scored, scores: Mapping[str, Any], kind: str) -> list[Check]:
    """Return the remarks on a result's numbers, mostly none; `kind` is of the groups, or empty."""
    if other := other_metrics(scored, scores):
        return [_remark("metrics", other, f"version {scored.metrics_version} of the metrics")]
    called = counted(kind, scores["groups"], scores["rows"]) if kind else "groups"
    return judge_numbers(scores, called)


def judge_numbers(scores: Mapping[str, Any], called: str) -> list[Check]:
    """Return the remarks on numbers of no known version, a refusal first; `called` are the groups."""
    found = (
        chosen_in_sample(scores), few_subjects(scores["groups"], called), no_better(scores),
        best_of_several(scores),
    )  # fmt: skip
    return [check for check in found if check is not None]


def remarks(scored: Scored, scores: Mapping[str, Any], kind: str) -> list[str]:
    """Return the same as text, for a line of people's."""
    return [check.found for check in judge_result(scored, scores, kind)]


def other_metrics(scored: Scored, scores: Mapping[str, Any]) -> str:
    """Return why the numbers are not to be read by today's metrics, or an empty text."""
    made, today = scores["metrics_version"], scored.metrics_version
    said = f"scored by version {made} of its metrics; today's are {today}"
    if made == today:
        needed = (scored.headline.metric, "skill")
        lacking = [name for name in needed if not isinstance(scores.get(name), Mapping)]
        said = f"scored without {' and '.join(lacking)}" if lacking else ""
    return said and f"{said}: dvc repro {scoring_stage(scored)}"


def is_in_sample(model: Mapping[str, Any]) -> bool:
    """Return whether a model's record says that rows which trained its parts chose or weighed them."""
    return bool(model.get("selection", OUT_OF_FOLD) != OUT_OF_FOLD)


def chosen_in_sample(scores: Mapping[str, Any]) -> Check | None:
    """Refuse numbers of rows some of which trained what they chose or weighed; see `is_in_sample`."""
    if not scores.get("in_sample"):
        return None
    found = "REFUSED: chosen or weighed on rows that trained its parts, no validation"
    return Check("in sample", False, "parts chosen by rows that trained none of them", found, 1)


def not_ranked(scored: Scored, scores: Mapping[str, Any]) -> str:
    """Return why a result is not ranked among others, or an empty text."""
    refusal = chosen_in_sample(scores)
    return other_metrics(scored, scores) or (refusal.found if refusal else "")


def few_subjects(count: int, called: str) -> Check | None:
    """Remark fewer subjects than an interval needs; see `FEWEST`."""
    if count >= FEWEST:
        return None
    return _remark("subjects", f"{count} {called}: too few to say", f"{FEWEST} {called}")


def no_better(scores: Mapping[str, Any]) -> Check | None:
    """Remark what the mean of these very labels reaches, else what the mean of the training labels does.

    R² = 1 − MSE / variance, so RMSE / SD = √(1 − R²), whatever the labels; nan says nothing.
    """
    r2 = scores["r2"]["value"] if "r2" in scores else math.nan
    if r2 <= 0:
        times = f"RMSE is {math.sqrt(1 - r2):.3f} × the SD of its labels"
        return _remark("spread", f"not better than its own spread: {times}", "R² above 0")
    if scores["skill"]["value"] <= 0:
        return _remark("skill", "not better than the trivial predictor", "skill above 0")
    return None


def best_of_several(scores: Mapping[str, Any]) -> Check | None:
    """Remark the best of several on the same rows: it is low by chance alone."""
    count = scores.get("best_of", 1)
    if count == 1:
        return None
    return _remark("best of", f"the best of {count} is optimistic", "rows that chose nothing")


def same_rows(one: str, other: str, left_out: Mapping[str, int]) -> Check | None:
    """Refuse the change between two results' own numbers where not all rows are of both.

    Args:
        one: the first number as it is written, with what it rests on.
        other: the second.
        left_out: why → how many rows are not of both, with one label.
    """
    count = sum(left_out.values())
    if not count:
        return None
    found = f"{one}, {other}: of different sets, not to be compared"
    return Check("sets", False, "both on the same rows", found, count)


def _remark(name: str, found: str, expected: str) -> Check:
    return Check(name, True, expected, found, 1)
