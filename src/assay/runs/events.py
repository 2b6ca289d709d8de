"""The event log of a stage: what outputs must not hold, clock, host, experiment name, progress.

One JSON line an event, appended to `.assay/events/<stage>/<key>.jsonl` under `DVC_ROOT`. `<key>` is
the digest of the stage's declared inputs, which the run record repeats; so the projection finds the
event log of a result, and a result without one (a fresh clone) still stands. Appending a line costs
about 0.01 ms; nothing here can fail a training but a full disk.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from assay.runs.lines import append_line, read_lines
from assay.runs.places import EVENTS

BEGUN = "begun"  # a training; or it goes on


class EventLog:
    """Append events to one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def note(self, event: str, facts: Mapping[str, Any] | None = None) -> None:
        """Append one event."""
        append_line(self.path, {"event": event, "time": round(time.time(), 3), **(facts or {})})


def events_path(root: Path, stage: str, key: str) -> Path:
    """Return where the event log of a stage with these inputs lies."""
    return root / EVENTS / stage / f"{key}.jsonl"


def read_events(path: Path) -> list[dict[str, Any]]:
    """Return the newest run's events in order: from its first start, over kills, to its end.

    A line that a power cut spoilt is passed over; `assay doctor` names it.
    """
    events: list[dict[str, Any]] = []
    for event in _events(path):
        if event["event"] == "start" and events and events[-1]["event"] == "end":
            events = []
        events.append(event)
    return events


def read_training(path: Path) -> list[dict[str, Any]]:
    """Return when the newest training began, each time that it goes on after a kill, and its epochs."""
    events: list[dict[str, Any]] = []
    for event in _events(path):
        if event["event"] == BEGUN and not event["goes_on"]:
            events = []
        if event["event"] in (BEGUN, "epoch"):
            events.append(event)
    return events


def training_seconds(events: Sequence[Mapping[str, Any]]) -> float:
    """Return how long a training ran, without the time between a kill and its going on."""
    return float(sum(b["time"] - a["time"] for a, b in pairwise(events) if b["event"] == "epoch"))


def _events(path: Path) -> Iterator[dict[str, Any]]:
    for line in read_lines(path):
        if line.content and {"event", "time"} <= line.content.keys():
            yield dict(line.content)
