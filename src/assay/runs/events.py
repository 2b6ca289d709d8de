"""The event log of a stage: what outputs must not hold, clock, host, experiment name, progress.

One JSON line an event, appended to `.assay/events/<stage>/<key>.jsonl` under `DVC_ROOT`. `<key>` is
the digest of the stage's declared inputs, which the run record repeats; so the projection finds the
event log of a result, and a result without one (a fresh clone) still stands. Appending a line costs
about 0.01 ms; nothing here can fail a training but a full disk.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

from assay.runs.places import EVENTS

BEGUN = "begun"  # a training; or it goes on


class EventLog:
    """Append events to one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def note(self, event: str, facts: Mapping[str, Any] | None = None) -> None:
        """Append one event; a line is written by one system call, so a kill tears none."""
        line = json.dumps({"event": event, "time": round(time.time(), 3), **(facts or {})})
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, (line + "\n").encode())
        finally:
            os.close(descriptor)


def events_path(root: Path, stage: str, key: str) -> Path:
    """Return where the event log of a stage with these inputs lies."""
    return root / EVENTS / stage / f"{key}.jsonl"


def read_events(path: Path) -> list[dict[str, Any]]:
    """Return the newest run's events in order: from its first start, over kills, to its end.

    A torn last line (power cut) is passed over.
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
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        with suppress(json.JSONDecodeError):
            yield json.loads(line)
