"""What DVC remembers of stages: lock entries in commits, experiments, the work tree and the run cache.

Each says: this stage, with these inputs, gave these outputs, by digest. The run cache holds every run
that this DVC cache has seen; commits and experiments give runs their names.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assay.runs.git import git
from assay.tracking.locks import LOCK, Locks

if TYPE_CHECKING:
    from assay.tracking.lock_text import LockEntry


@dataclass(frozen=True)
class Revision:
    """Where an entry stands: a commit, an experiment on top of its baseline, or neither."""

    commit: str = ""
    experiment: str = ""
    baseline: str = ""
    time: int = 0

    @property
    def ref(self) -> str:
        """Return an experiment's full name: short ones repeat over baselines."""
        return f"refs/exps/{self.baseline[:2]}/{self.baseline[2:]}/{self.experiment}"


def iter_lock_entries(root: Path) -> Iterator[tuple[LockEntry, Revision]]:
    """Yield every lock entry of every commit and experiment, then of the work tree and run cache.

    A commit whose lock cannot be read is passed over, and told on standard error.

    Raises:
        AssayError: the work tree's lock cannot be read.
    """
    locks, revisions = Locks(root), _revisions(root)
    held = locks.at([sighting.commit for sighting in revisions])
    _tell(locks.faults)
    for sighting in revisions:
        for entry in held[sighting.commit]:
            yield entry, sighting
    for entry in locks.in_work_tree():
        yield entry, Revision()
    for _, entry in locks.remembered():
        yield entry, Revision()


def _tell(faults: Mapping[str, str]) -> None:
    for commit, fault in list(faults.items())[:1]:
        said = f"{LOCK} of {len(faults)} commit(s) passed over, first {commit[:12]}: {fault}"
        print(f"note: {said}", file=sys.stderr)


def _revisions(root: Path) -> list[Revision]:
    """List the commits that touched `dvc.lock`, oldest first, then the experiments."""
    log = git(root, "log", "--all", "--reverse", "--format=%H %ct", "--", LOCK)
    times = {commit: int(time) for commit, time in (row.split(" ") for row in log.splitlines())}
    named = experiments(root)
    plain = [Revision(commit, time=time) for commit, time in times.items() if commit not in named]
    return plain + list(named.values())


def experiments(root: Path) -> dict[str, Revision]:
    """Return commit → experiment; where two names mean one commit, the last."""
    listing = git(
        root, "for-each-ref", "--format=%(objectname) %(committerdate:unix) %(refname)", "refs/exps"
    )
    found = {}
    for line in listing.splitlines():
        commit, time, ref = line.split(" ", 2)
        parts = ref.split("/")  # refs/exps/<2>/<38>/<name>
        if len(parts) == 5 and parts[2] != "exec":
            found[commit] = Revision(commit, parts[4], parts[2] + parts[3], int(time))
    return found
