"""A result as one line for people: value, interval, skill, what they rest on, time taken.

What weakens a number stands beside it; the claim check judges by the same sentences.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.runs.files import read_json
from assay.runs.journal import read_journal, spool_path
from assay.runs.record import RECORD

if TYPE_CHECKING:
    from assay.contract.task import Task

COUNTED = {"patient": "patients", "session": "sessions"}
# A 95 % percentile interval of an MAE holds the truth less often than it says, the less the fewer the
# subjects. Of 20,000 draws of normal errors, 2,000 resamples each: 79 % at n = 4, 84 % at 6, 87 % at 8,
# 89 % at 10, 91 % at 15, 92 % at 20. At 10 it misses one time in nine instead of one in twenty, three
# times of four by lying too low; below that an interval is no help to a reader.
FEWEST = 10


def summary(task: Task, scores: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    """Return the line without its time.

    Args:
        task: whose headline metric and unit are used.
        scores: the content of `metrics.json`.
        data: facts of the data set: `source`, `group_kind`.

    What weakens the number stands at its end; see `remarks`.
    """
    score, digits = task.headline, task.headline.digits
    own, skill = scores[score.metric], scores["skill"]
    unit = f" {score.unit}" if score.unit else ""
    # Below patients the rows are not independent subjects, so the interval says what it is.
    counted = COUNTED.get(data["group_kind"])
    rests = f"{scores['groups']} {counted}" if counted else f"{scores['groups']} images, by image"
    line = (
        f"{task.name}  {score.name} {own['value']:.{digits}f}{unit}"
        f" [{own['low']:.{digits}f}, {own['high']:.{digits}f}]"
        f" · skill {skill['value']:.2f} [{skill['low']:.2f}, {skill['high']:.2f}] vs {score.trivial}"
        f" · {rests} · {Path(data['source']).name}"
    )
    return " · ".join([line, *remarks(scores, counted or "images")])


def remarks(scores: Mapping[str, Any], counted: str) -> list[str]:
    """Return what has to be said beside the numbers of a `metrics.json`; mostly nothing.

    Args:
        scores: the content of the file.
        counted: what its groups are called.
    """
    r2 = scores["r2"]["value"] if "r2" in scores else math.nan
    said = [few_subjects(scores["groups"], counted), beyond_spread(r2)]
    # R² asks the mean of these very labels, the skill that of the training labels: one remark will do.
    if not said[1] and scores["skill"]["value"] <= 0:
        said.append("not better than the trivial predictor")
    said.append(best_of_many(scores.get("best_of", 1)))
    return [text for text in said if text]


def few_subjects(count: int, counted: str) -> str:
    """Return that so few subjects say nothing, or an empty text."""
    return f"{count} {counted}: too few to say" if count < FEWEST else ""


def best_of_many(count: int) -> str:
    """Return that the best of several is low by chance alone, or an empty text."""
    return f"the best of {count} is optimistic" if count > 1 else ""


def beyond_spread(r2: float) -> str:
    """Return that an R² is no better than the mean of its own labels, or an empty text.

    R² = 1 − MSE / variance, so RMSE / SD = √(1 − R²), whatever the labels; nan says nothing.
    """
    if not r2 <= 0:
        return ""
    return f"not better than its own spread: RMSE is {math.sqrt(1 - r2):.3f} × the SD of its labels"


def summaries(root: Path, tasks: Mapping[str, Task]) -> list[str]:
    """Return a line for each task that has a result in the work tree under `root`."""
    found = []
    for name, task in sorted(tasks.items()):
        metrics, record = root / "reports" / name / "metrics.json", root / "models" / name / RECORD
        if metrics.exists() and record.exists():
            content = read_json(record)
            line = summary(task, read_json(metrics), content["data"])
            found.append(line + _trained_in(root, content))
    return found


def _trained_in(root: Path, record: Mapping[str, Any]) -> str:
    """Return how long this very training took, where its journal is on this machine."""
    events = read_journal(spool_path(root, record["stage"], record["key"]))
    if not events or not record["stage"].startswith("train@"):
        return ""
    return f" · trained in {events[-1]['time'] - events[0]['time']:.0f} s"
