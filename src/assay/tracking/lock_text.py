"""A `dvc.lock` as text → what each stage read and made, by digest.

It is taken apart by stages first, so that what is equal in two locks is parsed once.

Names and digests are all that is read here, so every scalar stays the text that it is (`typ="base"`):
no version of YAML turns a path `on`, or a digest of digits alone, into something else.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

RECORD = re.compile(r"models/([^/]+)/run\.json")
HEAD = "schema: '2.0'\nstages:\n"
STAGE = re.compile(r"^  (?=\S)", re.MULTILINE)
OTHER = re.compile(r"^(?! {4}| {2}\S|\s*$)", re.MULTILINE)  # neither a stage's name nor below one
Digests = Mapping[str, str]


class LockError(ValueError):
    """A text that is no lock; says why in one line."""


class LockEntry(msgspec.Struct, frozen=True, array_like=True, dict=True):
    """One run of one stage: path → digest of what it read, and of what it left.

    A file of the run cache does not say which stage it is of: `stage` is empty then.
    """

    stage: str
    deps: Digests
    outs: Digests

    @cached_property
    def made(self) -> tuple[str, str] | None:
        """Return task and digest of the run record that it left; a training alone leaves one."""
        return _record_in(self.outs)

    @cached_property
    def used(self) -> tuple[str, str] | None:
        """Return task and digest of the run record that it read."""
        return _record_in(self.deps)


def lock_entries(text: str) -> list[LockEntry]:
    """Return the entries of a `dvc.lock`.

    Raises:
        LockError: it is no lock.
    """
    return _read(_loaded(text).get("stages") or {})


def lock_parts(text: str) -> dict[str, str]:
    """Return digest → text of each stage's part, in order; none where it is not laid out as by DVC.

    A part stands for itself: its stage's name at a line's beginning, and deeper lines. What else people
    and merges leave (names that stand twice, lines at other depths) is for who reads the whole.
    """
    head, *parts = STAGE.split(text)
    names = {part.partition("\n")[0].rstrip() for part in parts}
    is_plain = len(names) == len(parts) and all(name.endswith(":") for name in names)
    if head != HEAD or not is_plain or OTHER.search(text, len(HEAD)):
        return {}
    return {hashlib.sha256(part.encode()).hexdigest()[:24]: part for part in parts}


def part_entry(text: str) -> LockEntry:
    """Return the entry of one part.

    Raises:
        LockError: it is none by itself, as with an anchor that stands in another part.
    """
    entries = _read(_loaded(text))
    if len(entries) != 1:
        raise LockError("not one stage")
    return entries[0]


def remembered_entry(text: str) -> LockEntry:
    """Return the entry of a file of DVC's run cache.

    Raises:
        LockError: it is none.
    """
    return _read({"": _loaded(text)})[0]


def _loaded(text: str) -> dict[str, Any]:
    try:
        content = YAML(typ="base").load(text) if text.strip() else {}
    except YAMLError as fault:
        raise LockError(f"not YAML: {getattr(fault, 'problem', None) or fault}") from None
    if not isinstance(content, dict):
        raise LockError("not YAML of DVC: no stages")
    return content


def _read(stages: Any) -> list[LockEntry]:
    try:
        return [
            LockEntry(name, _digests(content, "deps"), _digests(content, "outs"))
            for name, content in stages.items()
        ]
    except (AttributeError, KeyError, TypeError):
        raise LockError("not YAML of DVC: a stage without paths") from None


def _digests(content: Mapping[str, Any], key: str) -> dict[str, str]:
    return {item["path"]: item["md5"] for item in content.get(key) or [] if item.get("md5")}


def _record_in(digests: Digests) -> tuple[str, str] | None:
    for path, digest in digests.items():
        found = RECORD.fullmatch(path)
        if found:
            return found[1], digest
    return None
