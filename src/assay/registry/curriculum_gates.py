"""The gates of a curriculum's stage, each one question about an attempt, answered with what was found."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from assay.contract.checks import Check
from assay.learning.claims import other_metrics
from assay.learning.summary import summary
from assay.lookup import find_task
from assay.manifest.index import OK
from assay.manifest.layout import Layout
from assay.manifest.split import TEST
from assay.manifest.table import read_table
from assay.pipeline import find_pipeline
from assay.registry.curriculum import check_previous
from assay.runs.events import events_path, read_events
from assay.runs.files import read_json
from assay.runs.record import RECORD
from assay.runs.scores import SCORES, read_scores

if TYPE_CHECKING:
    from assay.contract.curriculum import Curriculum, Goal


@dataclass(frozen=True)
class Attempt:
    """The results in a work tree, as an attempt at a stage.

    Attributes:
        root: the repository.
        data: the data set.
        params: its section.
        stage: of it.
        goal: of that stage.
        curriculum: which says who is scored, and who timed.
    """

    root: Path
    data: str
    params: Mapping[str, Any]
    stage: int
    goal: Goal
    curriculum: Curriculum

    @cached_property
    def rows(self) -> tuple[pl.DataFrame, dict[str, Any]]:
        """Return the rows for training and validation, and the facts about them."""
        return read_table(self.root / Layout(self.data).trainval, f"split@{self.data}")


def previous(attempt: Attempt) -> Check:
    """Ask whether the stage before has opened this one."""
    root, source = attempt.root, attempt.params["source"]
    return check_previous(root, attempt.data, attempt.stage, source, root)


def images(attempt: Attempt) -> Check:
    """Ask for the goal's classes, and its images less those that the label gate lets be broken.

    A stage takes faulty ones like others; those of training that are locked as test set count.
    """
    goal, share = attempt.goal, attempt.params["ingest"]["max_broken_share"]
    manifest = pl.scan_parquet(attempt.root / Layout(attempt.data).manifest)
    listed = manifest.select("subset", "status").filter(pl.col("subset") != TEST).collect()
    usable = int((listed["status"] == OK).sum())
    classes = attempt.rows[0][attempt.curriculum.classes].explode().n_unique()
    passed = usable >= math.ceil(goal.images * (1 - share)) and classes >= goal.classes
    expected = f"{goal.images:,} images, {share:.1%} broken at most, of {goal.classes:,} classes"
    found = f"{usable:,} of {goal.images:,} usable, of {classes:,} of {goal.classes:,} classes"
    mend = f"-S {attempt.data}.ingest.max_samples=all, or a source that holds them"
    return Check("images", passed, expected, found, len(listed), mend=mend)


def accuracy(attempt: Attempt) -> Check:
    """Ask the task's headline, unrounded; interval, baseline and what weakens it stand beside it."""
    task, asked = find_task(attempt.curriculum.task), attempt.goal.accuracy
    scores = read_scores(attempt.root / "reports" / task.name / SCORES)
    expected = f"{task.headline.name} of {asked} or better on validation rows"
    if other := other_metrics(task, scores):
        said, _, mend = other.partition(": ")
        return Check("accuracy", False, expected, said, scores["rows"], mend=mend)
    own, unseen = scores[task.headline.metric]["value"], scores.get("unseen_share")
    passed = task.headline.gain(own, asked) >= 0
    found = f"{own:.6g}, {asked} asked · {summary(task, scores, attempt.rows[1])}"
    if unseen and unseen["value"] > 0:
        found += f" · {unseen['value']:.1%} of the rows, of classes never trained, do not count"
    return Check("accuracy", passed, expected, found, scores["rows"], mend="train further")


def latency(attempt: Attempt) -> Check:
    """Ask for the slowest mode's p95, as the newest run with these very inputs noted it."""
    limit = attempt.goal.latency_ms
    if limit is None:
        return Check("latency", True, "none", "not asked of this stage", 0)
    pipeline = find_pipeline(attempt.curriculum.pipeline)
    record = read_json(attempt.root / "models" / pipeline.name / RECORD)
    events = read_events(events_path(attempt.root, record["stage"], record["key"]))
    notes = [event for event in events if event["event"] == "latency"]
    times = notes[-1] if notes else {}
    expected = f"p95 of every mode {limit:.0f} ms or less, from file to names"
    missing = [mode for mode in pipeline.modes if mode not in times]
    if missing:
        found = f"{' and '.join(missing)} not measured on this machine"
        mend = f"dvc repro -f -s pipeline@{pipeline.name}, where the originals are"
        return Check("latency", False, expected, found, 0, mend=mend)
    p95, slow = max((float(times[mode]["p95"]), mode) for mode in pipeline.modes)
    found = f"p95 {p95:.1f} ms ({slow}), {limit:.0f} ms asked, on {times['device']}"
    count, mend = times[slow]["photographs"], "a smaller or a faster network"
    return Check("latency", p95 <= limit, expected, found, count, mend=mend)


GATES: dict[str, Callable[[Attempt], Check]] = {
    gate.__name__: gate for gate in (previous, images, accuracy, latency)
}
