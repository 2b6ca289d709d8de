"""All checks, in order; they read, and change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from assay.doctor.cache import check_cache
from assay.doctor.finding import Finding, Report
from assay.doctor.journals import check_journals, check_modules
from assay.doctor.ledger import check_ledger
from assay.doctor.locks import check_locks
from assay.doctor.machine import check_machine
from assay.doctor.versions import check_versions
from assay.doctor.weights import check_weights
from assay.errors import AssayError
from assay.lookup import all_tasks
from assay.params import read_all
from assay.sections.machine import Machine
from assay.value_faults import PARAMS_FILE
from assay.values import MACHINE, typed

if TYPE_CHECKING:
    from assay.sections.task import TaskParams


def examine(root: Path, deep: bool, ask_remote: bool) -> Iterator[Report]:
    """Yield each check's report; in the order in which what they find is mended.

    Args:
        root: the repository.
        deep: digest the DVC cache.
        ask_remote: ask the remotes for their ledger, instead of believing the last fetch.
    """
    yield check_locks(root)
    yield check_ledger(root, ask_remote)
    yield check_versions(root)
    yield check_cache(root, deep)
    yield check_journals(root)
    yield check_modules(root)
    machine, tasks, faults = _declared(root)
    yield Report("params", f"{len(tasks)} tasks", faults)
    yield check_machine(root, machine, tasks)
    yield check_weights(root, tasks)


def _declared(root: Path) -> tuple[Machine | None, dict[str, TaskParams], list[Finding]]:
    """Return `machine` and each task's section of `params.yaml`, and what is wrong with the file."""
    machine = None
    found: dict[str, TaskParams] = {}
    try:
        content = read_all(root)
        machine = typed(content, MACHINE, Machine)
        for name, task in sorted(all_tasks().items()):
            found[name] = typed(content, name, task.params)
    except AssayError as fault:
        said = str(fault).replace("\n", " ")
        return machine, found, [Finding(PARAMS_FILE, said, "a section a task", "assay params")]
    return machine, found, []
