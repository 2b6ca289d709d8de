"""What each stage of a system can reach: one small file a stage, which stands in the stage's `deps`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assay.code.distributions import versions_of
from assay.code.left_out import is_left_out
from assay.code.reach import Reach
from assay.code.source import Source
from assay.lookup import places_in, system_of
from assay.runs.files import write_json

FOLDER = Path("code")
OF_DATA = ("ingest", "validate", "similar", "split", "leakage")
OF_TASKS = ("train", "evaluate")
OF_COMPOSITIONS = ("compose",)
# What stands in a room, and which stages it has.
STAGES = {
    ("data", "SYSTEMS"): OF_DATA,
    ("tasks", "TASKS"): OF_TASKS,
    ("compositions", "COMPOSITIONS"): OF_COMPOSITIONS,
}


def code_file(stage: str) -> Path:
    """Return where the code of a stage is written down, `train@hemoglobin-nail` for example."""
    return FOLDER / system_of(stage.partition("@")[2]) / f"{stage}.json"


def write_code(system: str) -> None:
    """Write `code/<system>/<stage>@<item>.json` for each stage of each item of a system."""
    source = Source()
    for (room, table), stages in STAGES.items():
        for item, place in places_in(system, room, table).items():
            module = f"assay.systems.{system}.{room}.{place.partition(':')[0]}"
            for stage in stages:
                write_json(code_file(f"{stage}@{item}"), code_of(source, stage, system, module))


def code_of(source: Source, stage: str, system: str, module: str) -> dict[str, Any]:
    """Return modules of this package and distributions that a stage can reach.

    Args:
        source: the files.
        stage: its name, without an item.
        system: the folder of the item's system.
        module: that holds the item.
    """
    reach = Reach(source)
    reach.enter(f"assay.stages.{stage}")
    reach.call(("main",))
    if "assay.lookup" in reach.modules:  # it asks for its item, and maybe for tasks that it names
        reach.enter(module)
        for name, place in places_in(system, "tasks", "TASKS").items():
            if name in reach.names:
                reach.enter(f"assay.systems.{system}.tasks.{place.partition(':')[0]}")
    return {
        "modules": {
            name: source.digest(name) for name in sorted(reach.modules)
            if not is_left_out(name) and (found := source.parsed(name)) and not found.is_empty
        },
        "distributions": versions_of(reach.others),
    }  # fmt: skip
