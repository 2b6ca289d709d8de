"""Versions of a task's model and which of them stand where; all of it read from the ledger."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import RegistryError
from assay.registry.ledger import entries

if TYPE_CHECKING:
    from assay.registry.ledger import Entry

CANDIDATE, IMPORT, PROMOTION, ROLLBACK = "candidate", "import", "promotion", "rollback"
ALIASES = ("champion", "previous", "candidate")


@dataclass(frozen=True)
class Version:
    """One registered model.

    Attributes:
        task: the task's name.
        number: counted from 1 within the task.
        result: digest of the result (`tracking.results`); of an imported file, the file's.
        commit: whose `dvc.lock` holds the model; empty for an imported one.
        files: name → md5 of what the model is; see `contract.bundle`.
        record: md5 of the run record; empty for an imported one.
        entry: where the ledger says so.
    """

    task: str
    number: int
    result: str
    commit: str
    files: Mapping[str, str]
    record: str
    entry: Entry

    @property
    def is_proven(self) -> bool:
        """Whether its making is known; an imported file's is not."""
        return self.entry.kind == CANDIDATE

    @property
    def tag(self) -> str:
        """Return its name, and that of the git tag that pins its commit."""
        return f"{self.task}/v{self.number}"


@dataclass(frozen=True)
class Aliases:
    """Which version has which alias; None where none has it."""

    champion: int | None = None
    previous: int | None = None
    candidate: int | None = None

    def aliases(self) -> dict[str, int]:
        """Return alias → version, of those that are given."""
        pairs = ((alias, getattr(self, alias)) for alias in ALIASES)
        return {alias: number for alias, number in pairs if number is not None}


@dataclass
class _Task:
    """What the ledger says of one task, folded entry by entry."""

    versions: dict[int, Version] = field(default_factory=dict)
    champions: list[int] = field(default_factory=list)
    candidate: int | None = None

    def take(self, entry: Entry) -> None:
        facts = entry.facts
        if entry.kind in {CANDIDATE, IMPORT}:
            version = _version(entry)
            # The first that was called v7 is v7; a second one, from another clone, is for the doctor,
            # and what happened to that one did not happen to this one.
            self.versions.setdefault(version.number, version)
        if "result" in facts and not self._is_of(facts["version"], facts["result"]):
            return
        if entry.kind == CANDIDATE:
            self.candidate = facts["version"]
        elif entry.kind == PROMOTION:
            self.champions.append(facts["version"])
            self.candidate = None if self.candidate == facts["version"] else self.candidate
        elif entry.kind == ROLLBACK and self.champions[-1:] == [facts["from"]]:
            self.champions.pop()

    def _is_of(self, number: int, result: str) -> bool:
        return number in self.versions and self.versions[number].result == result


def versions(root: Path, task: str) -> list[Version]:
    """Return the task's versions, by number."""
    found = _read(entries(root), task).versions
    return [found[number] for number in sorted(found)]


def current_aliases(root: Path, task: str) -> Aliases:
    """Return which version is champion, previous and candidate; a rollback takes one step back."""
    found = _read(entries(root), task)
    champion, previous = (*reversed(found.champions[-2:]), None, None)[:2]
    return Aliases(champion, previous, found.candidate)


def find_version(root: Path, name: str) -> Version:
    """Return the version called `<task>/v<N>` or `<task>@<alias>`.

    Raises:
        RegistryError: there is none; with those that are.
    """
    task, mark, which = re.fullmatch(r"(.*?)(?:(@|/v)(\w+))?", name).groups()  # type: ignore[union-attr]
    known = versions(root, task)
    number = current_aliases(root, task).aliases().get(which) if mark == "@" else which
    for version in known:
        if mark and str(version.number) == str(number):
            return version
    listed = [version.tag for version in known]
    listed += [f"{task}@{alias}" for alias in current_aliases(root, task).aliases()]
    raise RegistryError(
        name, "no such version", f"one of {', '.join(listed)}" if listed else "", "assay models"
    )


def result_of(root: Path, name: str) -> str | None:
    """Return the result of the version that `name` calls, or None where it calls no version."""
    if not re.fullmatch(r".+(@\w+|/v\d+)", name):
        return None
    return find_version(root, name).result


def tasks_in(found: Sequence[Entry]) -> list[str]:
    """Return every task that the entries name."""
    return sorted({str(entry.facts["task"]) for entry in found if "task" in entry.facts})


def digests_in(facts: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the digests of all files and records that entries name, each once."""
    named: dict[str, None] = {}
    for each in facts:
        files = each.get("files")
        named |= dict.fromkeys(files.values() if isinstance(files, Mapping) else ())
        named |= dict.fromkeys(filter(None, [each.get("record")]))
    return list(named)


def _read(found: Sequence[Entry], task: str) -> _Task:
    read = _Task()
    for entry in found:
        if entry.facts.get("task") == task:
            # Written by hand, and not whole: the ledger shows it, and cannot get rid of it.
            with suppress(KeyError, TypeError, ValueError):
                read.take(entry)
    return read


def _version(entry: Entry) -> Version:
    facts = entry.facts
    return Version(
        task=facts["task"],
        number=int(facts["version"]),
        result=facts["result"],
        commit=facts.get("commit", ""),
        files=dict(facts["files"]),
        record=facts.get("record", ""),
        entry=entry,
    )
