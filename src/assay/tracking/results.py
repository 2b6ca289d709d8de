"""Results: a training and its evaluation, joined by digest; what one MLflow run shows."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.runs.files import content_digest
from assay.runs.record import RECORD
from assay.tracking.entries import Digests, Entry, Sighting

METRICS = "metrics.json"


@dataclass
class Result:
    """One training with its evaluation.

    Attributes:
        task: the task's name.
        outs: path → digest of everything that training and evaluation left.
        sightings: every commit and experiment that holds it.
    """

    task: str
    outs: dict[str, str]
    sightings: list[Sighting] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """Name the result by its content: equal results are one, however often they were run."""
        return content_digest(self.outs)

    @property
    def record(self) -> str:
        """Return the digest of `run.json`."""
        return self.outs[f"models/{self.task}/{RECORD}"]


def join(sighted: Iterable[tuple[Entry, Sighting]]) -> list[Result]:
    """Join trainings with their evaluations, over all that was sighted; first sighted, first listed."""
    trainings: dict[str, tuple[str, Digests]] = {}
    evaluations: dict[tuple[str, str], tuple[Digests, list[Sighting]]] = {}
    seen: dict[str, list[Sighting]] = {}
    for entry, sighting in sighted:
        made = _record_in(entry.outs)
        used = _record_in(entry.deps)
        if made:
            task, digest = made
            trainings.setdefault(digest, (task, entry.outs))
            seen.setdefault(digest, []).append(sighting)
        elif used and f"reports/{used[0]}/{METRICS}" in entry.outs:
            key = (used[1], entry.outs[f"reports/{used[0]}/{METRICS}"])
            evaluations.setdefault(key, (entry.outs, []))[1].append(sighting)
    return _joined(trainings, evaluations, seen)


def _joined(
    trainings: dict[str, tuple[str, Digests]],
    evaluations: dict[tuple[str, str], tuple[Digests, list[Sighting]]],
    seen: dict[str, list[Sighting]],
) -> list[Result]:
    results = []
    for digest, (task, outs) in trainings.items():
        mine = [found for (record, _), found in evaluations.items() if record == digest]
        results += [Result(task, {**outs, **more}, _unique(where)) for more, where in mine]
        if not mine:
            results.append(Result(task, dict(outs), _unique(seen[digest])))
    return results


def _unique(sightings: list[Sighting]) -> list[Sighting]:
    return [sighting for sighting in dict.fromkeys(sightings) if sighting.commit]


def _record_in(digests: Digests) -> tuple[str, str] | None:
    """Return task and digest of the run record among some files."""
    for path, digest in digests.items():
        parts = Path(path).parts
        if len(parts) == 3 and parts[0] == "models" and parts[2] == RECORD:
            return parts[1], digest
    return None


class Cache:
    """Reads what DVC keeps, by digest."""

    def __init__(self, root: Path) -> None:
        from dvc.repo import Repo

        with Repo(str(root)) as repo:
            self._folder = Path(repo.cache.local.path)

    def path(self, digest: str) -> Path | None:
        """Return the cached file, or None where this cache does not hold it."""
        found = self._folder / digest[:2] / digest[2:]
        return found if found.exists() else None

    def files(self, name: str, digest: str) -> dict[str, Path]:
        """Return name → file of an output, a folder's files one by one; absent ones are left out."""
        found = self.path(digest)
        if found is None:
            return {}
        if not digest.endswith(".dir"):
            return {name: found}
        inside: list[dict[str, Any]] = json.loads(found.read_text(encoding="utf-8"))
        paths = {item["relpath"]: self.path(item["md5"]) for item in inside}
        return {f"{name}/{each}": path for each, path in paths.items() if path is not None}
