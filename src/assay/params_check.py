"""The whole-file check: every section of `params.yaml`, every task against its data, every study."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import AssayError, ParamsError, nearest
from assay.lookup import all_systems, all_tasks, list_items
from assay.params import check_params, read_all
from assay.section_check import disagreements
from assay.sections.machine import RUNTIME, Machine, Runtime
from assay.sections.study import Study
from assay.value_faults import SEARCH_FILE, STUDIES, place, section_faults
from assay.values import MACHINE

if TYPE_CHECKING:
    from assay.contract.task import Task
    from assay.sections.section import Section

SEARCHED = ("model", "train")  # what a trial can change: the data are made before it


def check_files(root: Path) -> None:
    """Check `params.yaml` and `search.yaml`.

    Raises:
        ParamsError: with every fault, not the first.
    """
    check_content(read_all(root))


def check_content(content: Mapping[str, Any]) -> None:
    """Check what `params.yaml` holds, or would hold.

    Raises:
        ParamsError: with every fault, not the first.
    """
    check_params(content, all_sections())
    faults = [fault for task in all_tasks().values() for fault in disagreements(content, task)]
    if faults:
        raise ParamsError(faults)
    faults = [fault for task, studies in _studies(content) for fault in _of(content, task, studies)]
    if faults:
        raise ParamsError(faults)


def all_sections() -> dict[str, type[Section]]:
    """Return the model of every section of `params.yaml`."""
    found: dict[str, type[Section]] = {MACHINE: Machine, RUNTIME: Runtime}
    found |= {name: each.params for name, each in all_systems().items()}
    composed = list_items("pipelines", "PIPELINES")  # see `assay.pipeline`
    return found | {name: each.params for name, each in (all_tasks() | composed).items()}


def laid_over(section: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a section with the values of dotted keys in place of its own."""
    whole = copy.deepcopy(dict(section))
    for key, value in values.items():
        *path, last = key.split(".")
        inner = whole
        for part in path:
            inner = inner[part]
        inner[last] = value
    return whole


def _studies(content: Mapping[str, Any]) -> list[tuple[str, Any]]:
    found = content.get(STUDIES)
    return list(found.items()) if isinstance(found, Mapping) else []


def _of(content: Mapping[str, Any], task: str, studies: Any) -> list[AssayError]:
    """Return what is wrong with the studies of one task."""
    where = place(f"{STUDIES}.{task}")
    known = all_tasks()
    if task not in known:
        expected = nearest(task, sorted(known))
        return [AssayError(where, "no such task", expected, f"edit {SEARCH_FILE}")]
    if not isinstance(studies, Mapping):
        return [AssayError(where, "no studies", "a name and a declaration each", "")]
    faults = []
    for name, declared in studies.items():
        path = f"{STUDIES}.{task}.{name}"
        wrong = section_faults(path, declared, Study)
        faults += wrong or _key_faults(content, known[task], path, Study.model_validate(declared))
    return faults


def _key_faults(
    content: Mapping[str, Any], task: Task, path: str, study: Study
) -> list[AssayError]:
    """Refuse keys that the task's section lacks; DVC's `-S` knows no others."""
    own = content[task.name]
    leaves = [key for part in SEARCHED for key in _leaves(own[part], f"{part}.")]
    faults = []
    for part, keys in (("space", study.space), ("fixed", study.fixed)):
        for key in keys:
            if key not in leaves:
                expected = nearest(key, leaves)
                where = place(f"{path}.{part}.{key}")
                mend = f"a key below {task.name}.model or .train"
                faults.append(AssayError(where, "no such parameter", expected, mend))
    return faults


def _leaves(content: Mapping[str, Any], path: str) -> list[str]:
    found = []
    for key, value in content.items():
        inner = isinstance(value, Mapping)
        found += _leaves(value, f"{path}{key}.") if inner else [f"{path}{key}"]
    return found
