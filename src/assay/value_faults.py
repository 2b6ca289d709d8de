"""What is wrong with a value of `params.yaml`: its key, what was found and expected, the `-S` line."""

from __future__ import annotations

from collections.abc import Iterable
from types import UnionType
from typing import TYPE_CHECKING, Any, Union, get_origin

from pydantic import ValidationError

from assay.errors import AssayError, nearest

if TYPE_CHECKING:
    from assay.sections.section import Section

PARAMS_FILE = "params.yaml"
SEARCH_FILE = (
    "search.yaml"  # apart, since DVC parses `params.yaml` anew for each stage: 4 ms less of 16
)
STUDIES = "search"  # its one key: task → study → declaration; no task or system, see `params_check`


def place(path: str) -> str:
    """Return file and key, as people are told."""
    return f"{SEARCH_FILE if path.partition('.')[0] == STUDIES else PARAMS_FILE} · {path}"


def section_faults(name: str, section: Any, model: type[Section]) -> list[AssayError]:
    """Return what is wrong with one section, each fault with its key."""
    try:
        model.model_validate(section)
    except ValidationError as error:
        return translated(name, error, model)
    return []


def translated(path: str, error: ValidationError, model: type[Section]) -> list[AssayError]:
    """Turn pydantic's faults into ours: path, found, expected, the `-S` line.

    Of a value that may be one of several kinds pydantic has a fault a kind; we have one of the value.
    """
    faults: list[AssayError] = []
    kinds: dict[str, AssayError] = {}  # by the value's path
    for fault in error.errors(include_url=False):
        keys = [str(key) for key in fault["loc"]]
        if _has_kinds(model, keys[:-1]):
            where = ".".join([path, *keys[:-1]])
            if where in kinds:
                kinds[where].expected += f", or {_wrong_value(where, fault).expected}"
            else:
                kinds[where] = _wrong_value(where, fault)
                faults.append(kinds[where])
            continue
        where = ".".join([path, *keys])
        if fault["type"] == "extra_forbidden":
            siblings = _fields_at(model, keys[:-1])
            faults.append(unknown_key(where, [".".join([path, *keys[:-1], s]) for s in siblings]))
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


def _has_kinds(model: type[Section], keys: list[str]) -> bool:
    """Return whether the value at `keys` may be one of several kinds: a number, or a word."""
    for key in keys[:-1]:
        field = model.model_fields.get(key)
        if field is None or not isinstance(field.annotation, type):
            return False
        model = field.annotation
    field = model.model_fields.get(keys[-1]) if keys else None
    return field is not None and get_origin(field.annotation) in (Union, UnionType)


def unknown_key(path: str, known: Iterable[str]) -> AssayError:
    """Return the fault of a key that nobody reads, with the nearest known one."""
    mend = f"rename or delete the line in {place(path).partition(' ')[0]}"
    return AssayError(place(path), "unknown key", nearest(path, sorted(known)), mend)
