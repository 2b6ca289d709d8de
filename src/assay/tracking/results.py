"""Results: a training and its evaluation, joined by digest; what one MLflow run shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.runs.files import content_digest, read_json
from assay.runs.record import RECORD
from assay.runs.scores import SCORES

if TYPE_CHECKING:
    from assay.tracking.entries import Revision
    from assay.tracking.lock_text import LockEntry


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
    sightings: list[Revision] = field(default_factory=list)

    @cached_property
    def digest(self) -> str:
        """Name the result by its content: equal results are one, however often they were run."""
        return content_digest(self.outs)

    @property
    def record(self) -> str:
        """Return the digest of `run.json`."""
        return self.outs[f"models/{self.task}/{RECORD}"]


def join_results(sighted: Iterable[tuple[LockEntry, Revision]]) -> list[Result]:
    """Join trainings with their evaluations, over all that was sighted; first sighted, first listed."""
    trainings: dict[str, _Seen] = {}
    evaluations: dict[str, dict[str, _Seen]] = {}  # digest of the record → of the scores
    for entry, sighting in sighted:
        if entry.made:
            seen = trainings.setdefault(entry.made[1], _Seen(entry))
        elif entry.used and (scores := entry.outs.get(f"reports/{entry.used[0]}/{SCORES}")):
            seen = evaluations.setdefault(entry.used[1], {}).setdefault(scores, _Seen(entry))
        else:
            continue
        if sighting.commit:
            seen.sightings[sighting] = None
    results = []
    for digest, training in trainings.items():
        mine = evaluations.get(digest, {}).values()
        results += [_result(training, each) for each in mine] or [_result(training)]
    return results


@dataclass
class _Seen:
    """An entry and where it was sighted, each place once."""

    entry: LockEntry
    sightings: dict[Revision, None] = field(default_factory=dict)


def _result(training: _Seen, evaluation: _Seen | None = None) -> Result:
    assert training.entry.made is not None
    last = evaluation or training
    outs = {**training.entry.outs, **last.entry.outs}
    return Result(training.entry.made[0], outs, list(last.sightings))


class DvcCache:
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
        inside: list[dict[str, Any]] = read_json(found)
        paths = {item["relpath"]: self.path(item["md5"]) for item in inside}
        return {f"{name}/{each}": path for each, path in paths.items() if path is not None}
