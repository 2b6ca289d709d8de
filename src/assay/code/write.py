"""What each stage of a system can reach: one small file a stage, which stands in the stage's `deps`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assay.code.distributions import versions_of
from assay.code.left_out import is_left_out
from assay.code.reach import Reach
from assay.code.source import SourceTree, digest_of
from assay.lookup import TRAININGS, places_in, system_of
from assay.runs.files import write_json

FOLDER = Path("code")
TRAINING = "training"  # in place of a stage's name: what one training of a grid can reach
OF_DATA = ("ingest", "validate", "similar", "split", "leakage")
OF_TASKS = ("train", "evaluate")
OF_PIPELINES = ("pipeline",)
# What stands in a room, and which stages it has.
STAGES = {
    ("data", "SYSTEMS"): OF_DATA,
    ("tasks", "TASKS"): OF_TASKS,
    ("pipelines", "PIPELINES"): OF_PIPELINES,
}


def code_file(stage: str) -> Path:
    """Return where the code of a stage is written down, `train@hemoglobin-nail` for example."""
    return FOLDER / system_of(stage.partition("@")[2]) / f"{stage}.json"


def write_code(system: str) -> None:
    """Write `code/<system>/<stage>@<item>.json` for each stage of each item of a system."""
    source = SourceTree()
    for (room, table), stages in STAGES.items():
        for item in places_in(system, room, table):
            for stage in stages:
                write_json(
                    code_file(f"{stage}@{item}"), stage_code(source, stage, item, room, table)
                )
    for item in places_in(system, "tasks", TRAININGS):
        write_json(training_file(item), training_code(source, item))


def training_file(task: str) -> Path:
    """Return where the code of one training is written down, of a task that is a grid of them."""
    return code_file(f"{TRAINING}@{task}")


def training_code(source: SourceTree, task: str) -> dict[str, Any]:
    """Return what one training of a grid can reach: its stage reaches what chooses among them too."""
    reach = Reach(source)
    reach.enter("assay.jobs.run_job")
    reach.call(("run_job",))
    places: dict[str, str] = {}
    _enter(reach, places, task, "tasks", TRAININGS)
    return _written(source, reach, places)


def stage_code(source: SourceTree, stage: str, item: str, room: str, table: str) -> dict[str, Any]:
    """Return what a stage can reach: modules and other files of this package, and distributions.

    `places` says where the item, and tasks that its code names, are found: the tables themselves are
    no part of it, since each holds all that its system has.

    Args:
        source: the files.
        stage: its name, without the item.
        item: what stands after the `@`.
        room: where it stands in its system.
        table: the name of the room's table.
    """
    reach = Reach(source)
    reach.enter(f"assay.stages.{stage}")
    reach.enter("assay.values")  # the launcher hands parameters over by it
    reach.call(("main",))
    places: dict[str, str] = {}
    if "assay.lookup" in reach.modules:  # it asks for its item, and maybe for tasks that it names
        _enter(reach, places, item, room, table)
        while missing := [
            name for name in places_in(system_of(item), "tasks", "TASKS")
            if name in reach.names and name not in places
        ]:  # fmt: skip
            _enter(reach, places, missing[0], "tasks", "TASKS")
    return _written(source, reach, places)


def _written(source: SourceTree, reach: Reach, places: dict[str, str]) -> dict[str, Any]:
    counted = [name for name in sorted(reach.modules) if not is_left_out(name)]
    data = (path for name in counted for path in source.data(name))
    return {
        "places": places,
        "modules": {name: source.digest(name) for name in counted if not source.is_empty(name)},
        "files": {str(path): digest_of(path) for path in sorted(data)},
        "distributions": versions_of(reach.others),
    }


def _enter(reach: Reach, places: dict[str, str], item: str, room: str, table: str) -> None:
    system = system_of(item)
    places[item] = f"{room}.{places_in(system, room, table)[item]}"
    reach.enter(f"assay.systems.{system}.{places[item].partition(':')[0]}")
