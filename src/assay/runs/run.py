"""What a training is handed of the platform: where to write, where to log, where to resume."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.sections.machine import Runtime

if TYPE_CHECKING:
    from assay.runs.events import EventLog

Watch = Callable[[Sequence[Mapping[str, float]]], None]


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        task: the task's name.
        root: where relative files count from.
        folder: takes weights, history and record.
        reports: takes the preflight's verdict.
        resume: takes the state that a killed run leaves.
        events: takes clock and progress.
        facts: the inputs to be recorded beside the model: parameters, digests, data.
        watch: is told every epoch's row so far after each epoch, and ends the training by raising; it
            changes nothing of one that it lets go on.
        runtime: loader processes and states; they change no byte.
        handed: what the model will be handed, as `contract.inputs` states it.
    """

    task: str
    root: Path
    folder: Path
    reports: Path
    resume: Path
    events: EventLog
    facts: Mapping[str, Any] = field(default_factory=dict)
    watch: Watch | None = None
    runtime: Runtime = field(default_factory=Runtime)
    handed: Mapping[str, Any] = field(default_factory=dict)
