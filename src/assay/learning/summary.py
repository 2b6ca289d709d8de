"""A result as one line for people: value, interval, skill, what they rest on, time taken."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.learning.claims import other_metrics, remarks, rests_on
from assay.runs.events import events_path, read_training, training_seconds
from assay.runs.files import read_json
from assay.runs.record import RECORD, smaller_batches, trainings
from assay.runs.scores import SCORES, read_scores

if TYPE_CHECKING:
    from assay.contract.score import Score
    from assay.contract.scored import Scored

    BestOf = Callable[[Scored, Mapping[str, Any], Mapping[str, Any]], int]


def summary(task: Scored, scores: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    """Return the line without its time.

    Args:
        task: whose headline metric and unit are used.
        scores: as `runs.scores` keeps them; of another version of the metrics none is shown.
        data: facts of the data set: `source`, `group_kind`.

    What weakens the number stands at its end; see `claims`.
    """
    if other := other_metrics(task, scores):
        return f"{task.name}  {other}"
    kind = data["group_kind"]
    rests = rests_on(kind, scores["groups"], scores["rows"])
    if "folds" in scores:
        rests += f", all {scores['folds']} folds"
    line = (
        f"{task.name}  {headline_line(task.headline, scores)} vs {task.headline.trivial}"
        f" · {rests} · {Path(data['source']).name}"
    )
    return " · ".join([line, *_last(task.headline, scores), *remarks(task, scores, kind)])


def headline_line(score: Score, scores: Mapping[str, Any]) -> str:
    """Return the headline and the skill, each with its interval."""
    own = interval_text(scores[score.metric], score.digits, score.unit)
    return f"{score.name} {own} · skill {interval_text(scores['skill'], 2)}"


def _last(score: Score, scores: Mapping[str, Any]) -> list[str]:
    """Return what the last epoch, which these rows did not choose, reaches; of a training alone."""
    if "last" not in scores:
        return []
    own = scores["last"]
    has = math.isfinite(own["value"])
    return [f"last epoch {interval_text(own, score.digits) if has else 'no answer'}"]


def interval_text(own: Mapping[str, float], digits: int, unit: str = "") -> str:
    """Return a value, its unit and its interval."""
    value, low, high = (f"{own[part]:.{digits}f}" for part in ("value", "low", "high"))
    return f"{value} {unit}".rstrip() + f" [{low}, {high}]"


def summaries(root: Path, tasks: Mapping[str, Scored], best_of: BestOf) -> list[str]:
    """Return a line for each task that has a result in the work tree under `root`.

    Args:
        root: the repository's root.
        tasks: by name.
        best_of: task, scores and record → of how many known results on the same rows it is the best.
    """
    found = []
    for name, task in sorted(tasks.items()):
        table, record = root / "reports" / name / SCORES, root / "models" / name / RECORD
        if table.exists() and record.exists():
            content, scores = read_json(record), read_scores(table)
            chosen = {"best_of": best_of(task, scores, content)}
            said = summary(task, scores | chosen, content["data"]), smaller_batches(content)
            found.append(" · ".join(filter(None, said)) + _trained_in(root, content))
    return found


def _trained_in(root: Path, record: Mapping[str, Any]) -> str:
    """Return how long its trainings took, where their event logs are on this machine."""
    stage = record["stage"]
    if not stage.startswith("train@"):
        return ""
    keys = [each["key"] for each in trainings(record).values()]
    logs = [read_training(events_path(root, stage, key)) for key in keys]
    return f" · trained in {sum(map(training_seconds, logs)):.0f} s" if all(logs) else ""
