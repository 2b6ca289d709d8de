"""What garbage collection spares: what a branch, a tag, the ledger or anything young holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from assay.registry.ledger import BRANCH, WITNESS, entries
from assay.registry.versions import PROMOTION, tasks_in, versions
from assay.runs.git import git, must_git
from assay.tracking.entries import sighted_entries
from assay.tracking.results import join

if TYPE_CHECKING:
    from assay.registry.versions import Version
    from assay.tracking.entries import Sighting
    from assay.tracking.lock_text import Entry

EXPERIMENTS = "refs/exps/"


@dataclass(frozen=True)
class Experiment:
    """One of DVC's experiments; `ref` is its full name, since names repeat over baselines."""

    ref: str
    commit: str
    time: int

    @property
    def name(self) -> str:
        return self.ref.rpartition("/")[2]


@dataclass(frozen=True)
class Kept:
    """What stays, and which experiments go.

    Args:
        root: the repository.
        before: seconds since 1970; nothing younger goes.
    """

    root: Path
    before: float

    @cached_property
    def versions(self) -> list[Version]:
        """Return every registered version, candidates and imports among them."""
        named = tasks_in(entries(self.root))
        return [version for task in named for version in versions(self.root, task)]

    @cached_property
    def sighted(self) -> list[tuple[Entry, Sighting]]:
        return list(sighted_entries(self.root))

    @cached_property
    def removed(self) -> list[Experiment]:
        """Return the experiments that nobody tagged, applied and registered, and that are old."""
        spared = self._registered_experiments
        held = set(self._tips(lambda ref: not ref.startswith(EXPERIMENTS)))
        return [
            each
            for each in self._experiments
            if each.time < self.before and each.commit not in held and each.commit not in spared
        ]

    @cached_property
    def revisions(self) -> list[str]:
        """Return the commits whose outputs stay.

        These are the tips of all branches, tags and kept experiments, the work trees' commits, those
        that the ledger names, and all that are younger than `before`.
        """
        gone = {each.ref for each in self.removed}
        # DVC's notes of what it applied last name no experiment that somebody wants.
        tips = self._tips(lambda ref: ref not in gone and not ref.startswith(f"{EXPERIMENTS}exec/"))
        tips += self._heads()
        tips += [version.commit for version in self.versions if version.commit]
        tips += [e.facts["commit"] for e in entries(self.root) if e.kind == PROMOTION]
        held = self._commits(tips)
        young = git(
            self.root, "rev-list", f"--since-as-filter=@{int(self.before)}", *held, "--"
        ).splitlines()
        return list(dict.fromkeys([*held, *young]))

    @cached_property
    def _experiments(self) -> list[Experiment]:
        listing = git(
            self.root, "for-each-ref", "--format=%(refname) %(objectname) %(committerdate:unix)",
            EXPERIMENTS,
        )  # fmt: skip
        rows = [line.split(" ") for line in listing.splitlines()]
        found = [Experiment(ref, commit, int(time)) for ref, commit, time in rows]
        # refs/exps/<2>/<38>/<name>; DVC's own, exec and stash, are built otherwise.
        return [
            each for each in found if len(each.ref.split("/")) == 5 and "/exec/" not in each.ref
        ]

    @property
    def _registered_experiments(self) -> set[str]:
        """Return the commits of experiments that gave what is now a version, applied or not."""
        registered = {version.result for version in self.versions}
        results = [each for each in join(self.sighted) if each.digest in registered]
        named = {s.commit for result in results for s in result.sightings if s.experiment}
        return named | {version.commit for version in self.versions}

    def _tips(self, wanted: Callable[[str], bool]) -> list[str]:
        listing = git(self.root, "for-each-ref", "--format=%(objectname) %(refname)")
        rows = [line.split(" ", 1) for line in listing.splitlines()]
        return [
            commit
            for commit, ref in rows
            if ref != WITNESS and not ref.endswith(f"/{BRANCH}") and wanted(ref)
        ]

    def _heads(self) -> list[str]:
        """Return the commits of this and other work trees, detached ones too."""
        listing = git(self.root, "worktree", "list", "--porcelain").splitlines()
        return [line.removeprefix("HEAD ") for line in listing if line.startswith("HEAD ")]

    def _commits(self, names: list[str]) -> list[str]:
        """Return the commits that the names mean; those that this clone lacks are left out."""
        asked = "".join(f"{name}^{{commit}}\n" for name in dict.fromkeys(names))
        answers = must_git(self.root, "cat-file", "--batch-check", given=asked).splitlines()
        rows = [line.split(" ") for line in answers]
        return list(dict.fromkeys(row[0] for row in rows if row[1] == "commit"))
