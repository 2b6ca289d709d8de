"""The catalogue: every version with what a person wants to know of it, as one block of text each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import RegistryError
from assay.learning.summary import summary
from assay.lookup import find_scored
from assay.registry.commit_artifacts import CommitArtifacts
from assay.registry.report import look_line
from assay.registry.seal import known_look
from assay.registry.versions import current_aliases, versions
from assay.runs.files import read_json
from assay.runs.record import RECORD, trainings
from assay.runs.scores import SCORES, read_scores

if TYPE_CHECKING:
    from assay.registry.versions import Version


def catalogue(root: Path, task: str) -> Iterator[str]:
    """Yield a block a version, the newest first."""
    aliases: dict[int, list[str]] = {}
    for alias, number in current_aliases(root, task).aliases().items():
        aliases.setdefault(number, []).append(alias)
    for version in reversed(versions(root, task)):
        named = ", ".join(aliases.get(version.number, []))
        lines = _proven(root, version) if version.is_proven else _imported(version)
        head = f"{version.tag}" + (f"  {named}" if named else "")
        yield "\n".join([head, *(f"  {line}" for line in lines)])


def _proven(root: Path, version: Version) -> list[str]:
    pinned, task = CommitArtifacts(root, version.commit), find_scored(version.task)
    try:
        record = read_json(pinned.file(f"models/{task.name}/{RECORD}"))
        scores = read_scores(pinned.file(f"reports/{task.name}/{SCORES}"))
    except RegistryError as fault:
        return [f"not in this clone: {fault.found}; {fault.mend}"]
    data = record["data"]
    said = summary(task, scores, data).removeprefix(f"{task.name}  ")
    trained = f"trained on: {data['source']}, split {data['split_digest']}"
    section = record["params"][task.name]
    if task.parts:
        made = [f"made of: {', '.join(task.parts)} · {_flat(section['use'])}", trained]
    else:
        made = [
            f"model: {_flat(section['model'])} · {_seen(record)}",
            f"{trained} · {_chosen(record)}",
        ]
    lines = [f"validation: {said}", *made]
    seen = known_look(root, version)
    lines += [look_line(task, seen)] if seen else ["test set: not looked at"]
    if version.entry.facts.get("note"):
        lines.append(f"learned: {version.entry.facts['note']}")
    return [*lines, f"commit {version.commit[:12]} · result {version.result} · {_when(version)}"]


def _imported(version: Version) -> list[str]:
    facts = version.entry.facts
    lines = [
        f"unproven: {facts['file']}, {facts['tensors']} tensors, {facts['numbers']:,} weights",
        f"weights: {facts['path']}" + ("" if facts["fits"] else " (made for another network)"),
    ]
    return [*lines, *_text(facts), f"imported {_when(version)}"]


def _text(facts: Mapping[str, Any]) -> list[str]:
    said = str(facts.get("text", "")).splitlines()
    return [f"its owner says: {said[0]}", *(f"  {line}" for line in said[1:])] if said else []


def _seen(record: Mapping[str, Any]) -> str:
    return ", ".join(f"{view} {shape[0]} px" for view, shape in record["model"]["views"].items())


def _flat(section: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in section.items())


def _chosen(record: Mapping[str, Any]) -> str:
    """Return the epoch that was chosen, of each fold; of a grid which configurations were."""
    if jobs := record.get("jobs"):
        finalists = dict.fromkeys(job["name"] for job in jobs if job["is_finalist"])
        return f"{len(jobs)} trainings, of which are left: {', '.join(finalists)}"
    epochs = ", ".join(str(int(each["chosen"]["epoch"])) for each in trainings(record).values())
    return f"epoch {epochs} of {record['params'][record['task']]['train']['epochs']}"


def _when(version: Version) -> str:
    return f"{dt.datetime.fromtimestamp(version.entry.time, dt.UTC):%Y-%m-%d}"
