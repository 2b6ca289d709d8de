"""The curves of a result, epoch by epoch, from its history; the clock from event logs, where they are."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.runs.events import events_path, read_events
from assay.runs.record import mean_history, read_history

CURVE = "curve"  # the group of a training's own metrics
Epochs = list[dict[str, float]]


@dataclass(frozen=True)
class Point:
    """One value of a metric."""

    name: str
    value: float
    step: int
    time: int


def curves(history: Path | None, record: Mapping[str, Any], root: Path, start: int) -> list[Point]:
    """Return the curves of a result's own run; of several folds the mean is `curve`, as one fold's is.

    Of a grid each finalist has a curve, the mean of its folds: trainings of other kinds have other
    epochs, and a mean over all of them says nothing.

    Args:
        history: `history.csv`, or None where it is not here.
        record: `run.json`.
        root: the repository, which may hold event logs.
        start: ms; without a log, the time of epoch 0.
    """
    if history is None:
        return []
    rows = read_history(history)
    if "jobs" in record:
        return _finalists(of_jobs(rows), record["jobs"], start)

    def log(key: str) -> list[dict[str, Any]]:
        return read_events(events_path(root, record["stage"], key))

    if "fold" not in rows[0]:
        return metric_points(CURVE, rows, clock(log(record["key"])), start)
    parts = parted(rows, "fold")
    points = metric_points(CURVE, mean_history(list(parts.values())), {}, start)
    for fold, own in parts.items():
        times = clock(log(record["folds"][str(fold)]["key"]))
        points += metric_points(f"fold-{fold}", own, times, start)
    return points


def _finalists(
    parts: Mapping[int, Epochs], jobs: Sequence[Mapping[str, Any]], start: int
) -> list[Point]:
    chosen: dict[str, list[Epochs]] = {}
    for place, job in enumerate(jobs):
        if job["is_finalist"] and place in parts:
            name = re.sub(r"[^\w.-]", "_", job["name"])  # what MLflow takes
            chosen.setdefault(name, []).append(parts[place])
    return [
        point for name, folds in chosen.items()
        for point in metric_points(name, mean_history(folds), {}, start)
    ]  # fmt: skip


def of_jobs(rows: Iterable[Mapping[str, float]]) -> dict[int, Epochs]:
    """Return the rows of each job of a grid, without the metrics that only other jobs have."""
    parts = parted(rows, "job")
    for place, own in parts.items():
        has = {name for row in own for name, value in row.items() if not math.isnan(value)}
        parts[place] = [{name: row[name] for name in row if name in has} for row in own]
    return parts


def parted(rows: Iterable[Mapping[str, float]], by: str) -> dict[int, Epochs]:
    """Return the rows of each `fold`, or of each `job`, without the columns that say whose they are."""
    parts: dict[int, Epochs] = {}
    for row in rows:
        own = {name: value for name, value in row.items() if name not in ("job", "fold")}
        parts.setdefault(int(row[by]), []).append(own)
    return parts


def clock(events: Iterable[Mapping[str, Any]]) -> dict[int, int]:
    """Return epoch → time, ms, of what a training's event log holds."""
    return {int(e["epoch"]): int(e["time"] * 1000) for e in events if e["event"] == "epoch"}


def metric_points(
    group: str, rows: Sequence[Mapping[str, float]], times: Mapping[int, int], start: int
) -> list[Point]:
    """Return the points of a training, metric by metric named `<group>/<metric>`.

    Args:
        group: before the names.
        rows: an epoch each.
        times: epoch → ms; where one is absent it is `start` and as many ms as the epoch's number.
        start: see `times`.
    """
    return [
        Point(f"{group}/{name}", value, step, times.get(step, start + step))
        for row in rows for step in [int(row["epoch"])]
        for name, value in row.items() if name != "epoch"
    ]  # fmt: skip
