"""A result as one line for people: value, interval, skill, what they rest on, time taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.learning.claims import COUNTED, remarks
from assay.runs.events import events_path, read_events
from assay.runs.files import read_json
from assay.runs.record import RECORD

if TYPE_CHECKING:
    from assay.contract.scored import Scored

    BestOf = Callable[[Scored, Mapping[str, Any], Mapping[str, Any]], int]


def summary(task: Scored, scores: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    """Return the line without its time.

    Args:
        task: whose headline metric and unit are used.
        scores: the content of `metrics.json`.
        data: facts of the data set: `source`, `group_kind`.

    What weakens the number stands at its end; see `runs.claims`.
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


def summaries(root: Path, tasks: Mapping[str, Scored], best_of: BestOf) -> list[str]:
    """Return a line for each task that has a result in the work tree under `root`.

    Args:
        root: the repository's root.
        tasks: by name.
        best_of: task, metrics and record → of how many known results on the same rows it is the best.
    """
    found = []
    for name, task in sorted(tasks.items()):
        metrics, record = root / "reports" / name / "metrics.json", root / "models" / name / RECORD
        if metrics.exists() and record.exists():
            content, scores = read_json(record), read_json(metrics)
            chosen = {"best_of": best_of(task, scores, content)}
            line = summary(task, scores | chosen, content["data"])
            found.append(line + _trained_in(root, content))
    return found


def _trained_in(root: Path, record: Mapping[str, Any]) -> str:
    """Return how long this very training took, where its event log is on this machine."""
    events = read_events(events_path(root, record["stage"], record["key"]))
    if not events or not record["stage"].startswith("train@"):
        return ""
    return f" · trained in {events[-1]['time'] - events[0]['time']:.0f} s"
