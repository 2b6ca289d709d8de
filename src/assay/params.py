"""Typed parameters: each section of `params.yaml` has a model; a stage is handed only what it declared.

A section is a frozen pydantic model whose fields carry their range and meaning.
DVC refuses an unknown `-S` key itself; what it cannot know (types, ranges, combinations, a typo made
by hand in the file) is found here, before a stage does any work, and told with the `-S` path.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from assay.errors import AssayError, ParamsError
from assay.sections.section import Section

PARAMS_FILE = "params.yaml"
SEARCH_FILE = (
    "search.yaml"  # apart, since DVC parses `params.yaml` anew for each stage: 4 ms less of 16
)
STUDIES = "search"  # its one key: task → study → declaration; no task or system, see `params_check`
S = TypeVar("S", bound="Section")
T = TypeVar("T")


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
    studies = root / SEARCH_FILE
    return content | (read_params(studies) if studies.exists() else {})


def place(path: str) -> str:
    """Return file and key, as people are told."""
    return f"{SEARCH_FILE if path.partition('.')[0] == STUDIES else PARAMS_FILE} · {path}"


def check_params(content: Mapping[str, Any], sections: Mapping[str, type[Section]]) -> None:
    """Check every section (dotted name → model) and raise one `ParamsError` with all faults."""
    faults = _unknown_sections(content, sections) + faults_of(content, sections)
    if faults:
        raise ParamsError(faults)


def faults_of(
    content: Mapping[str, Any], sections: Mapping[str, type[Section]]
) -> list[AssayError]:
    """Return what is wrong with these sections, whatever else the file holds."""
    faults = []
    for name, model in sections.items():
        section = _descend(content, name.split("."))
        if section is None:
            known = _dotted(content)
            faults.append(_missing(name, known))
            continue
        faults += section_faults(name, section, model)
    return faults


def typed(declared: Mapping[str, Any], path: str, model: type[S]) -> S:
    """Return the declared value at the dotted `path` as `model`.

    Raises:
        AssayError: the stage did not declare the path, with the line to add to `dvc.yaml`.
        ParamsError: the value does not fit the model.
    """
    value = undotted(declared, path)
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise ParamsError(_translate(path, error, model)) from None


def declared_part(declared: Mapping[str, Any], path: str, model: type[S]) -> S:
    """Return the section at `path` as far as it was declared; what was not is absent from it.

    Raises:
        ParamsError: a declared part does not fit its model.
    """
    parts: dict[str, Any] = {}
    for name, value in undotted(declared, path).items():
        kind = model.model_fields[name].annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            parts[name] = typed(declared, f"{path}.{name}", kind)
        else:
            parts[name] = value
    return cast("S", model.model_construct(**parts))


def undotted(declared: Mapping[str, Any], path: str) -> Any:
    """Return the declared value at the dotted `path`; an undeclared path is an error."""
    value = _descend(declared, path.split("."))
    if value is None:
        raise AssayError(
            "dvc.yaml", f"the stage uses {path} and does not declare it", mend=f"params: - {path}"
        )
    return value


def _descend(content: Any, keys: Iterable[str]) -> Any:
    for key in keys:
        if not isinstance(content, Mapping) or key not in content:
            return None
        content = content[key]
    return content


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
            faults.append(_unknown(key, sections))
        elif isinstance(value, Mapping):
            faults += [_unknown(f"{key}.{part}", sections) for part in value if part not in parts]
    return faults


def section_faults(name: str, section: Any, model: type[Section]) -> list[AssayError]:
    """Return what is wrong with one section, each fault with its key."""
    try:
        model.model_validate(section)
    except ValidationError as error:
        return _translate(name, error, model)
    return []


def _translate(path: str, error: ValidationError, model: type[Section]) -> list[AssayError]:
    """Turn pydantic's faults into ours: path, found, expected, the `-S` line."""
    faults = []
    for fault in error.errors(include_url=False):
        keys = [str(key) for key in fault["loc"]]
        where = ".".join([path, *keys])
        if fault["type"] == "extra_forbidden":
            siblings = _fields_at(model, keys[:-1])
            faults.append(_unknown(where, [".".join([path, *keys[:-1], s]) for s in siblings]))
        elif fault["type"] == "missing":
            faults.append(AssayError(place(where), "missing", "a value", ""))
        else:
            faults.append(_wrong_value(where, fault))
    return faults


def _wrong_value(where: str, fault: Any) -> AssayError:
    message = str(fault["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    found = f"found {fault['input']!r}" if not isinstance(fault["input"], dict) else "combination"
    is_study = where.partition(".")[0] == STUDIES
    told = f"edit {SEARCH_FILE}" if is_study else f"dvc exp run -S '{where}=…'"
    mend = told if not isinstance(fault["input"], dict) else ""
    return AssayError(place(where), found, message, mend)


def _fields_at(model: type[Section], keys: list[str]) -> list[str]:
    for key in keys:
        field = model.model_fields.get(key)
        if field is None or not isinstance(field.annotation, type):
            return []
        model = field.annotation
    return list(model.model_fields)


def _unknown(path: str, known: Iterable[str]) -> AssayError:
    close = difflib.get_close_matches(path, list(known), n=1, cutoff=0.6)
    expected = f"did you mean {close[0]}?" if close else f"one of {', '.join(sorted(known))}"
    mend = f"rename or delete the line in {place(path).partition(' ')[0]}"
    return AssayError(place(path), "unknown key", expected, mend)


def _missing(path: str, known: Iterable[str]) -> AssayError:
    close = difflib.get_close_matches(path, list(known), n=1, cutoff=0.75)
    hint = f"; the file has {close[0]}" if close else ""
    return AssayError(
        f"{PARAMS_FILE} · {path}",
        f"section missing{hint}",
        "every system and task has one",
        f"git checkout -- {PARAMS_FILE}",
    )
