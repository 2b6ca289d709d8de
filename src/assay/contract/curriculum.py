"""A curriculum: stages of growing data, each of which has to be passed before the next begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """What a stage holds, and what a model has to reach on it.

    `accuracy` is of the task's headline metric; `latency_ms` an image's p95, where it is asked.
    """

    images: int
    classes: int
    accuracy: float
    latency_ms: float | None = None


@dataclass(frozen=True)
class Curriculum:
    """The stages of a data set, as `<data>.ingest.stage` numbers them from 1; who is scored, who timed.

    `classes` names the column that lists the classes of each row.
    """

    stages: Mapping[int, Goal]
    task: str
    pipeline: str
    classes: str
