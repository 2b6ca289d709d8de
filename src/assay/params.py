"""Typed parameters: each section of `params.yaml` has a model; a stage is handed only what it declared.

A section is a frozen pydantic model whose fields carry their range and meaning.
DVC refuses an unknown `-S` key itself; what it cannot know (types, ranges, combinations, a typo made
by hand in the file) is found here, before a stage does any work, and told with the `-S` path.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from assay.errors import AssayError, ParamsError
from assay.value_faults import PARAMS_FILE, SEARCH_FILE, STUDIES, section_faults, unknown_key
from assay.values import MACHINE, descend, on_machine

if TYPE_CHECKING:
    from assay.sections.section import Section

SOUND = {"device": "cpu", "precision": "32-true", "threads": 1}


def read_params(path: Path = Path(PARAMS_FILE)) -> dict[str, Any]:
    """Read the file with DVC's own loader (YAML 1.2: a hand-written `1e-4` is a number, `off` a text)."""
    try:
        content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise AssayError(str(path), "no such file", mend=f"git checkout -- {path}") from None
    except YAMLError as fault:
        mark = getattr(fault, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark else str(path)
        problem = str(getattr(fault, "problem", fault))
        raise AssayError(where, f"not YAML: {problem}", mend=f"git diff {path}") from None
    if not isinstance(content, dict):
        raise AssayError(str(path), "no sections", "one section a system or task")
    return content


def read_all(root: Path) -> dict[str, Any]:
    """Read `params.yaml`, and the studies of `search.yaml` where there is one.

    Raises:
        AssayError: a file cannot be read, or the studies stand in the wrong one.
    """
    content = read_params(root / PARAMS_FILE)
    if STUDIES in content:
        raise AssayError(
            f"{PARAMS_FILE} · {STUDIES}", "studies", f"in {SEARCH_FILE}, under the same key",
            f"move the section to {SEARCH_FILE}",
        )  # fmt: skip
    path = root / SEARCH_FILE
    studies = read_params(path) if path.exists() else {}
    other = next((key for key in studies if key != STUDIES), None)
    if other is not None or not isinstance(studies.get(STUDIES, {}), Mapping):
        where = f"{SEARCH_FILE} · {STUDIES if other is None else other}"
        expected = f"studies by task, under the one key {STUDIES}"
        raise AssayError(where, "no studies", expected, f"edit {SEARCH_FILE}; docs/search.md")
    return content | studies


def check_params(content: Mapping[str, Any], sections: Mapping[str, type[Section]]) -> None:
    """Check every section (dotted name → model) and raise one `ParamsError` with all faults."""
    faults = _unknown_sections(content, sections) + faults_of(content, sections)
    if faults:
        raise ParamsError(faults)


def faults_of(
    content: Mapping[str, Any], sections: Mapping[str, type[Section]]
) -> list[AssayError]:
    """Return what is wrong with these sections, whatever else the file holds."""
    faults, shared = [], content
    for name, model in sections.items():
        section = descend(content, name.split("."))
        if section is None:
            known = _dotted(content)
            faults.append(_missing(name, known))
        else:
            faults += section_faults(name, on_machine(section, shared), model)
        if name == MACHINE and faults:
            shared = {MACHINE: SOUND}  # it stands first: told once, and not once a task
    return faults


def _dotted(content: Mapping[str, Any]) -> list[str]:
    names = list(content)
    for key, value in content.items():
        if isinstance(value, Mapping):
            names += [f"{key}.{part}" for part in value]
    return names


def _unknown_sections(
    content: Mapping[str, Any], sections: Mapping[str, type[Section]]
) -> list[AssayError]:
    """Name what no system and no task reads; a system's parts stand one level down."""
    faults = []
    for key, value in content.items():
        if key in sections or key == STUDIES:
            continue
        parts = {name.split(".", 1)[1] for name in sections if name.startswith(f"{key}.")}
        if not parts:
            faults.append(unknown_key(key, sections))
        elif isinstance(value, Mapping):
            faults += [
                unknown_key(f"{key}.{part}", sections) for part in value if part not in parts
            ]
    return faults


def _missing(path: str, known: Iterable[str]) -> AssayError:
    close = difflib.get_close_matches(path, list(known), n=1, cutoff=0.75)
    hint = f"; the file has {close[0]}" if close else ""
    return AssayError(
        f"{PARAMS_FILE} · {path}",
        f"section missing{hint}",
        "every system and task has one",
        f"git checkout -- {PARAMS_FILE}",
    )
