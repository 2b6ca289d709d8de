"""What a stage is handed of `params.yaml`: declared values, as the models of their sections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast

from pydantic import ValidationError

from assay.errors import AssayError, ParamsError
from assay.sections.section import Section
from assay.value_faults import translated

MACHINE = "machine"  # the section that all tasks share
S = TypeVar("S", bound=Section)


def typed(declared: Mapping[str, Any], path: str, model: type[S]) -> S:
    """Return the declared value at the dotted `path` as `model`.

    Raises:
        AssayError: the stage did not declare the path, with the line to add to `dvc.yaml`.
        ParamsError: the value does not fit the model.
    """
    value = on_machine(undotted(declared, path), declared)
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise ParamsError(translated(path, error, model)) from None


def on_machine(section: Any, content: Mapping[str, Any]) -> Any:
    """Return a task's section with what `machine` says, where its `train` says nothing itself.

    Other sections are returned as they are.
    """
    train = section.get("train") if isinstance(section, Mapping) else None
    shared = content.get(MACHINE)
    if not isinstance(train, Mapping) or not isinstance(shared, Mapping):
        return section
    left = {key: value for key, value in shared.items() if train.get(key) is None}
    return {**section, "train": {**train, **left}}


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
    value = descend(declared, path.split("."))
    if value is None:
        raise AssayError(
            "dvc.yaml", f"the stage uses {path} and does not declare it", mend=f"params: - {path}"
        )
    return value


def descend(content: Any, keys: Iterable[str]) -> Any:
    """Return what stands under nested keys, or None."""
    for key in keys:
        if not isinstance(content, Mapping) or key not in content:
            return None
        content = content[key]
    return content
