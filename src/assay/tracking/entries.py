"""What DVC remembers of stages: lock entries in commits, experiments, the work tree and the run cache.

Each says: this stage, with these inputs, gave these outputs, by digest. The run cache holds every run
that this DVC cache has seen; commits and experiments give runs their names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from assay.runs.git import git

Digests = Mapping[str, str]


@dataclass(frozen=True)
class Entry:
    """One run of one stage, by digest."""

    stage: str
    deps: Digests
    outs: Digests


@dataclass(frozen=True)
class Sighting:
    """Where an entry stands: a commit, an experiment on top of its baseline, or neither."""

    commit: str = ""
    experiment: str = ""
    baseline: str = ""
    time: int = 0


def sighted_entries(root: Path) -> Iterator[tuple[Entry, Sighting]]:
    """Yield every lock entry of every commit and experiment, then of the work tree and run cache."""
    for sighting in _revisions(root):
        for entry in lock_entries(git(root, "show", f"{sighting.commit}:dvc.lock")):
            yield entry, sighting
    lock = root / "dvc.lock"
    if lock.exists():
        for entry in lock_entries(lock.read_text(encoding="utf-8")):
            yield entry, Sighting()
    for path in sorted((root / ".dvc" / "cache" / "runs").glob("*/*/*")):
        content = _yaml(path.read_text(encoding="utf-8"))
        yield Entry("", _digests(content, "deps"), _digests(content, "outs")), Sighting()


def _revisions(root: Path) -> list[Sighting]:
    """List the commits that touched `dvc.lock`, oldest first, then the experiments."""
    log = git(root, "log", "--all", "--reverse", "--format=%H %ct", "--", "dvc.lock")
    experiments = {}
    listing = git(root, "for-each-ref", "--format=%(objectname) %(refname)", "refs/exps")
    for line in listing.splitlines():
        commit, ref = line.split(" ", 1)
        parts = ref.split("/")  # refs/exps/<2>/<38>/<name>
        if len(parts) == 5 and parts[2] != "exec":
            experiments[commit] = (parts[4], parts[2] + parts[3])
    times = {
        commit: int(time) for commit, _, time in (row.partition(" ") for row in log.splitlines())
    }
    named = [
        Sighting(commit, name, baseline, _time(root, commit, times))
        for commit, (name, baseline) in experiments.items()
    ]
    plain = [
        Sighting(commit, time=time) for commit, time in times.items() if commit not in experiments
    ]
    return plain + named


def _time(root: Path, commit: str, times: Mapping[str, int]) -> int:
    return times.get(commit) or int(git(root, "show", "-s", "--format=%ct", commit) or 0)


def lock_entries(text: str) -> Iterator[Entry]:
    """Yield the entries of a `dvc.lock`."""
    for name, content in (_yaml(text).get("stages") or {}).items():
        yield Entry(name, _digests(content, "deps"), _digests(content, "outs"))


def _yaml(text: str) -> dict[str, Any]:
    content = YAML(typ="safe").load(text) if text else {}
    return content if isinstance(content, dict) else {}


def _digests(content: Mapping[str, Any], key: str) -> dict[str, str]:
    return {item["path"]: item["md5"] for item in content.get(key) or [] if "md5" in item}
