"""What the systems hold, by name: each is imported when somebody asks for it, and no sibling with it.

A room of a system (`data`, `tasks`, `pipelines`) holds a table in its `__init__`: name → where the
object is, `module:NAME` within the room, as entry points are written. The platform depends on no system.
One whose code is broken stops who asks for it, and nobody else.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import pkgutil
import re
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import AssayError

if TYPE_CHECKING:
    from assay.contract.scored import Scored
    from assay.contract.system import System
    from assay.contract.task import Task


TRAININGS = (
    "TRAININGS"  # of a room of tasks: what one training is, of a task that is a grid of them
)


def find_item(name: str, room: str, table: str) -> Any:
    """Return what is called `name` in a table; importing nothing else that it holds.

    Args:
        name: of a system's data (`system`, `system.part`) or of a task (`system-task`).
        room: `data`, `tasks`, `pipelines`: a package of each system that has such.
        table: the dictionary that it holds.

    Raises:
        AssayError: there is none, or its system's code cannot be imported.
    """
    folder = system_of(name)
    places = places_in(folder, room, table)
    if name in places:
        return _object(folder, room, places[name])
    if left := _left_behind(f"assay.systems.{folder}"):
        raise left
    known = ", ".join(sorted(names(room, table)))
    raise AssayError(name, f"no such {table.lower()[:-1]}", f"one of {known}")


def find_system(name: str) -> System:
    """Return the set of data of that name."""
    found: System = find_item(name, "data", "SYSTEMS")
    return found


def find_task(name: str) -> Task:
    """Return the task of that name."""
    found: Task = find_item(name, "tasks", "TASKS")
    return found


def find_trained(name: str) -> Task:
    """Return the task that one training is: itself, or what a grid has many of."""
    if name in places_in(system_of(name), "tasks", TRAININGS):
        found: Task = find_item(name, "tasks", TRAININGS)
        return found
    return find_task(name)


def find_scored(name: str) -> Scored:
    """Return the task or the pipeline of that name."""
    is_pipeline = name in places_in(system_of(name), "pipelines", "PIPELINES")
    found: Scored = find_item(name, "pipelines", "PIPELINES") if is_pipeline else find_task(name)
    return found


def all_systems() -> dict[str, System]:
    """Return every set of data by name."""
    return list_items("data", "SYSTEMS")


def all_tasks() -> dict[str, Task]:
    """Return every task by name."""
    return list_items("tasks", "TASKS")


def all_scored() -> dict[str, Scored]:
    """Return every task and every pipeline by name."""
    return {**all_tasks(), **list_items("pipelines", "PIPELINES")}


def list_items(room: str, table: str) -> dict[str, Any]:
    """Return what the systems' rooms of that name hold in `table`, all of it, by name."""
    return {
        name: _object(folder, room, place)
        for folder in system_folders()
        for name, place in places_in(folder, room, table).items()
    }


def names(room: str, table: str) -> list[str]:
    """Return the names in every system's table; none of the objects is imported."""
    return [name for folder in system_folders() for name in places_in(folder, room, table)]


def system_of(name: str) -> str:
    """Return the folder of the system that a name belongs to."""
    return re.split(r"[.-]", name)[0]


def data_of(name: str) -> str:
    """Return the name of the data set of a task or a pipeline; a data set's is its own."""
    return find_scored(name).data if "-" in name else name


def places_in(folder: str, room: str, table: str) -> dict[str, str]:
    """Return a system's table, name → `module:NAME`; empty where it has none."""
    package = f"assay.systems.{folder}.{room}"
    if folder not in system_folders() or importlib.util.find_spec(package) is None:
        return {}
    found: dict[str, str] = getattr(imported(package), table, {})
    return found


def system_folders() -> list[str]:
    """Return the folders of the systems."""
    path = importlib.import_module("assay.systems").__path__
    return sorted(module.name for module in pkgutil.iter_modules(path))


def _object(folder: str, room: str, place: str) -> Any:
    module, _, name = place.partition(":")
    package = f"assay.systems.{folder}.{room}"
    try:
        return getattr(imported(f"{package}.{module}"), name)
    except AttributeError:
        found = f"{place}: the module has no {name}"
        raise AssayError(f"the table of {package}", found, "module:NAME", "edit it") from None


def imported(module: str) -> Any:
    """Return a module.

    Raises:
        AssayError: it cannot be imported: with the line that raised.
    """
    try:
        return importlib.import_module(module)
    except AssayError:
        raise
    except Exception as fault:
        raise _import_error(module, fault) from fault


def _left_behind(module: str) -> AssayError | None:
    """Say that `dvc exp run --temp` has left a module behind: its folder has what git tracks."""
    asked, place = os.environ.get("DVC_ROOT", ""), f"src/{module.replace('.', '/')}"
    for file in (f"{place}.py", f"{place}/__init__.py"):
        if asked and Path(asked, file).exists() and not Path(file).exists():
            tracked = os.path.dirname(file) if file.endswith("__init__.py") else file  # noqa: PTH120
            said = "git does not track it, so a folder of `dvc exp run --temp` is without it"
            return AssayError(file, said, "a file that git tracks", f"git add {tracked}")
    return None


def _import_error(module: str, fault: Exception) -> AssayError:
    """Return what a person is told: the line that raised, and how to see the way there."""
    absent = fault.name if isinstance(fault, ModuleNotFoundError) else None
    if absent and (left := _left_behind(absent)):
        return left
    frames = traceback.extract_tb(fault.__traceback__)
    last = next(frame for frame in reversed(frames) if "<frozen" not in frame.filename)
    file, line = last.filename, last.lineno
    if isinstance(fault, SyntaxError) and fault.filename:
        file, line = fault.filename, fault.lineno
    return AssayError(
        f"{file}, line {line}",
        f"{type(fault).__name__}: {fault}",
        f"{module} can be imported",
        f"edit it; PYTHONPATH=src python -c 'import {module}' shows how it came there",
    )
