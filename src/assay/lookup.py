"""What the systems hold, by name: each system is a folder, and imported when somebody asks for it.

The platform depends on none of them. One whose code is broken stops who asks for it, and nobody else.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import re
import traceback
from typing import Any

from assay.errors import AssayError


def find(name: str, room: str, table: str) -> Any:
    """Return what is called `name` in a table; importing no other system's folder.

    Args:
        name: of a system's data (`system`, `system.part`) or of a task (`system-task`).
        room: `data`, `tasks`, `compositions`: a module, or a package, of each system that has such.
        table: the dictionary that it holds.

    Raises:
        AssayError: there is none, or its system's code cannot be imported.
    """
    found = own(name, room, table)
    if name in found:
        return found[name]
    known = ", ".join(sorted(listed(room, table)))
    raise AssayError(name, f"no such {table.lower()[:-1]}", f"one of {known}")


def own(name: str, room: str, table: str) -> dict[str, Any]:
    """Return what the system that `name` belongs to holds in a table, by name."""
    folder = re.split(r"[.-]", name)[0]
    return _table(folder, room, table) if folder in _folders() else {}


def listed(room: str, table: str) -> dict[str, Any]:
    """Return what the systems' rooms of that name hold in `table`, all of it, by name."""
    return {key: one for folder in _folders() for key, one in _table(folder, room, table).items()}


def _table(folder: str, room: str, table: str) -> dict[str, Any]:
    module = f"assay.systems.{folder}.{room}"
    try:
        if importlib.util.find_spec(module) is None:
            return {}
        found: dict[str, Any] = getattr(importlib.import_module(module), table)
    except AssayError:
        raise
    except Exception as fault:
        raise _import_error(module, fault) from fault
    return found


def _folders() -> list[str]:
    path = importlib.import_module("assay.systems").__path__
    return sorted(module.name for module in pkgutil.iter_modules(path))


def _import_error(module: str, fault: Exception) -> AssayError:
    """Return what a person is told: the line that raised, and how to see the way there."""
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
