"""The trainings of a grid: each a run of its own, below the run of the result that they are part of.

Keyed by that result's digest and the training's key, and whole once it has ended, which is its last
call: a half-built one is removed, an absent one built, a deleted one restored.

MLflow takes 0.1 ms of a core to write one value, whichever way it is handed over, so that the curves of
a large grid are drawn through every other epoch, or fewer; `history.csv`, whole, is a file of the result.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rich.progress import track

from assay.runs.events import events_path, read_training
from assay.runs.files import read_json
from assay.runs.record import HISTORY, read_history
from assay.tracking.curves import CURVE, Point, clock, metric_points, of_jobs
from assay.tracking.mlflow_run import PARENT, write_run
from assay.tracking.projection import Projection, flat

if TYPE_CHECKING:
    from pathlib import Path

    from mlflow import MlflowClient
    from mlflow.entities import Run

    from assay.tracking.curves import Epochs
    from assay.tracking.results import DvcCache, Result

OF, JOB = "assay.of", "assay.job"  # the result that a training is part of, and its key
DRAWN = 10_000  # epochs of all trainings of a grid, about; of ten metrics they take 10 s of a core
Children = dict[str, "Run"]  # by the training's key


def known_children(client: MlflowClient, runs: Iterable[Run]) -> tuple[dict[str, Children], int]:
    """Return the runs of trainings by result, deleted ones too; and how many were half-built, and went.

    Args:
        client: of the store.
        runs: of one experiment; of two of one training the later counts.
    """
    found: dict[str, Children] = {}
    removed = 0
    for run in runs:
        tags = run.data.tags
        if not {OF, JOB} <= tags.keys():
            continue
        if run.info.status == "FINISHED":
            found.setdefault(tags[OF], {})[tags[JOB]] = run
        elif run.info.lifecycle_stage == "active":
            client.delete_run(run.info.run_id)
            removed += 1
    return found, removed


def bring_up_children(
    client: MlflowClient, root: Path, cache: DvcCache, result: Result, parent: str, known: Children
) -> Iterator[str]:
    """Build, restore and move below `parent` the runs of a result's trainings; say how many of each.

    Args:
        client: of the store.
        root: the repository.
        cache: of DVC; where it lacks record or history, nothing is built.
        result: that they are part of.
        parent: the id of its run.
        known: those that there are.
    """
    deleted = [run for run in known.values() if run.info.lifecycle_stage == "deleted"]
    for run in deleted:
        client.restore_run(run.info.run_id)
    if deleted:
        yield f"{len(deleted)} of its trainings were deleted; restored"
    for run in known.values():
        if run.data.tags.get(PARENT) != parent:  # that was taken for good, and is another one now
            client.set_tag(run.info.run_id, PARENT, parent)
    path = cache.path(result.record)
    record = read_json(path) if path else {}
    lacking = {job["key"] for job in record.get("jobs", ())} - known.keys()
    if not lacking:
        return
    info = client.get_run(parent).info
    shown = [
        each
        for each in _children(result, record, cache, root, info.start_time)
        if each.tags[JOB] in lacking
    ]
    for each in track(shown, f"trainings of {result.task}", disable=len(shown) < 5, transient=True):
        write_run(client, info.experiment_id, replace(each, tags={**each.tags, PARENT: parent}))
    if shown:
        yield f"{len(shown)} of its {len(record['jobs'])} trainings were absent; added"


def _children(
    result: Result, record: Mapping[str, Any], cache: DvcCache, root: Path, start: int
) -> Iterator[Projection]:
    """Yield what the run of each training will hold; none where the history is not here."""
    history = cache.path(result.outs.get(f"models/{result.task}/{HISTORY}", ""))
    parts = of_jobs(read_history(history)) if history else {}
    every = math.ceil(sum(map(len, parts.values())) / DRAWN)
    for place, rows in parts.items():
        job = record["jobs"][place]
        events = read_training(events_path(root, record["stage"], job["key"]))
        begin, end = (int(events[at]["time"] * 1000) if events else start for at in (0, -1))
        yield Projection(
            name=f"{job['name']} fold {job['fold']}",
            start=begin,
            end=end,
            params={**flat(job["params"]), "configuration": job["name"], "fold": str(job["fold"])},
            points=metric_points(CURVE, _drawn(rows, every, job["chosen"]), clock(events), begin)
            + [Point(f"final/{name}", float(value), 0, end) for name, value in job["chosen"].items()],
            datasets={},
            tags={
                OF: result.digest, JOB: job["key"], "stage": record["stage"],
                "is_finalist": "yes" if job["is_finalist"] else "no",
                "mlflow.source.name": f"dvc repro {record['stage']}",
            },
            artifacts={},
        )  # fmt: skip


def _drawn(rows: Epochs, every: int, chosen: Mapping[str, float]) -> Epochs:
    """Return every so manieth epoch, the last, and the one that was chosen."""
    told = {rows[-1]["epoch"], chosen.get("epoch")}
    return [row for place, row in enumerate(rows) if place % every == 0 or row["epoch"] in told]
