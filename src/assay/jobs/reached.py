"""How far a training is, by its event log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assay.runs.events import events_path, read_training, training_seconds

if TYPE_CHECKING:
    from pathlib import Path

    from assay.jobs.job import Job


@dataclass(frozen=True)
class Reached:
    """How far a training is.

    Attributes:
        epochs: done.
        of: asked.
        row: of the newest epoch.
        begun, last: when, in seconds since 1970: the training, and its newest epoch's end.
        seconds: that it ran until then, without the time between a kill and its going on.
    """

    epochs: int
    of: int
    row: Mapping[str, Any]
    begun: float
    last: float
    seconds: float = 0.0

    @classmethod
    def read(cls, root: Path, job: Job, since: float = 0.0) -> Reached:
        """Read it; what was noted before `since` is of an earlier training."""
        events = [
            event for event in read_training(events_path(root, job.stage, job.key))
            if event["time"] >= since
        ]  # fmt: skip
        rows = [event for event in events if event["event"] == "epoch"]
        row: Mapping[str, Any] = rows[-1] if rows else {}
        times = [event["time"] for event in events] or [since]
        of = int(job.params[job.task]["train"]["epochs"])
        return cls(
            int(row.get("epoch", -1)) + 1, of, row, times[0], times[-1], training_seconds(events)
        )
