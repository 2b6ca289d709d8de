"""A file of claims: read, and refused with the claim and the field where it cannot be judged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from assay.errors import AssayError, nearest
from assay.gates.claims import Claim, Gain, Interval
from assay.sections.section import Section

FORM = "docs/claims.md shows a file"


class Between(Section):
    """A gain as the file has it: its two numbers are named."""

    before: str = Field(description="the name of a claim")
    after: str = Field(description="the name of a claim")
    stated: Literal["difference", "per cent"] = Field(description="difference or per cent")


class Claims(Section):
    """The whole file."""

    claims: dict[str, Claim] = Field(min_length=1, description="name → claim")
    gains: dict[str, Between] = Field(default_factory=dict, description="name → two claims")


def read_claims(path: Path) -> tuple[dict[str, Claim], dict[str, Gain]]:
    """Return the claims and the gains of a YAML file, by name.

    Raises:
        AssayError: no such file, no YAML, or any field amiss; all faults are told, not the first.
    """
    content = _read(path)
    try:
        stated = Claims.model_validate(content)
    except ValidationError as error:
        faults = [_fault(each) for each in error.errors(include_url=False)]
        raise _refused(path, faults) from None
    faults = [
        f"gain {name} · {end}: found {named!r}; {nearest(named, stated.claims)}"
        for name, gain in stated.gains.items()
        for end, named in (("before", gain.before), ("after", gain.after))
        if named not in stated.claims
    ]
    if faults:
        raise _refused(path, faults)
    gains = {
        name: Gain(stated.claims[each.before], stated.claims[each.after], each.stated)
        for name, each in stated.gains.items()
    }
    return stated.claims, gains


def _read(path: Path) -> Any:
    try:
        return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise AssayError(str(path), "no such file", "a YAML file of claims", FORM) from None
    except UnicodeDecodeError:
        raise AssayError(str(path), "not UTF-8 text", "a YAML file of claims", FORM) from None
    except YAMLError as fault:
        mark = fault.problem_mark if isinstance(fault, MarkedYAMLError) else None
        where = f"{path}, line {mark.line + 1}" if mark else str(path)
        raise AssayError(
            where, f"not YAML: {getattr(fault, 'problem', fault)}", mend=FORM
        ) from None


def _refused(path: Path, faults: Sequence[str]) -> AssayError:
    listed = "".join(f"\n  {fault}" for fault in faults)
    return AssayError(str(path), f"{len(faults)} fault(s){listed}", mend=FORM)


def _fault(error: ErrorDetails) -> str:
    """Say which claim, which field, what was found, what was expected."""
    keys = [str(key) for key in error["loc"]]
    fields = _fields(keys)
    where = _where(keys)
    if error["type"] == "extra_forbidden":
        return f"{where}: unknown field; {nearest(keys[-1], fields)}"
    if error["type"] == "missing":
        return f"{where}: missing; expected {fields[keys[-1]]}"
    message = str(error["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    found = "fields disagree" if error["type"] == "value_error" else f"found {error['input']!r}"
    return f"{where}: {found}; expected {message}"


def _where(keys: Sequence[str]) -> str:
    if len(keys) < 2:
        return ".".join(keys) or "file"
    named = f"{keys[0].removesuffix('s')} {keys[1]}"
    return f"{named} · {'.'.join(keys[2:])}" if len(keys) > 2 else named


def _fields(keys: Sequence[str]) -> dict[str, str]:
    """Return the fields that stand beside the last of the keys, with their meaning."""
    model: type[Section] = Claims
    if len(keys) > 2:
        model = Between if keys[0] == "gains" else Claim
    if len(keys) > 3:
        model = Interval
    return {name: field.description or "" for name, field in model.model_fields.items()}
