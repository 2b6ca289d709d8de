"""DVC's cache: which objects, and which remembered runs of stages, nothing that stays names."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import track

from assay.errors import RegistryError
from assay.tracking.entries import Sighting
from assay.tracking.kept import Needs
from assay.tracking.locks import Locks
from assay.tracking.results import join

if TYPE_CHECKING:
    from dvc.repo import Repo

    from assay.registry.gc_kept import Kept
    from assay.tracking.lock_text import Entry
    from assay.tracking.results import Result

MANY = 5  # commits that DVC is newly asked about, from which on a bar shows how far it is


@dataclass(frozen=True)
class StageRun:
    """One file of DVC's run cache: a run of a stage that need not be repeated."""

    path: Path
    entry: Entry
    time: float


@dataclass(frozen=True)
class Objects:
    """The objects of DVC's cache, and which of them stay.

    Args:
        repo: DVC's repository, open.
        kept: what stays.
    """

    repo: Repo
    kept: Kept

    @property
    def is_shared(self) -> bool:
        """Whether the cache lies elsewhere: what other repositories need of it is not known here."""
        place = Path(self.repo.cache.local.path).resolve()
        return not place.is_relative_to(self.kept.root.resolve())

    @cached_property
    def used(self) -> set[str]:
        """Return the digests that stay.

        DVC's own answer for every revision, and more: imported weights, which no pipeline names; what a
        `dvc.lock` holds of stages that the pipeline has no more; what a young run of a stage gave.
        """
        found = self._named_by_revisions()
        for version in self.kept.versions:
            found |= {version.weights, version.record}
        young = (run.entry for run in self.stage_runs if self._is_young(run))
        for entry in (*self.work_tree, *self.in_revisions, *young):
            found |= set(entry.outs.values())
        return found | self._inside(found)

    @cached_property
    def stale(self) -> list[str]:
        """Return the digests that go; from a shared cache none does."""
        if self.is_shared:
            return []
        return sorted(each for each in self.repo.cache.local.all() if each not in self.used)

    @cached_property
    def stale_runs(self) -> list[StageRun]:
        """Return the remembered runs whose outputs go, or are gone."""
        if self.is_shared:
            return []
        return [run for run in self.stage_runs if not set(run.entry.outs.values()) <= self.used]

    @cached_property
    def stage_runs(self) -> list[StageRun]:
        found = self._locks.remembered(Path(self.repo.stage_cache.cache_dir))
        return [StageRun(path, entry, path.stat().st_mtime) for path, entry in found]

    @cached_property
    def work_tree(self) -> list[Entry]:
        return self._locks.in_work_tree()

    @cached_property
    def in_revisions(self) -> list[Entry]:
        """Return what the locks of the commits that stay hold, each entry once."""
        held = self._locks.at(self.kept.revisions)
        return list({id(entry): entry for found in held.values() for entry in found}.values())

    @cached_property
    def _locks(self) -> Locks:
        return Locks(self.kept.root)

    def path(self, digest: str) -> Path:
        """Return where an object lies."""
        return Path(self.repo.cache.local.oid_to_path(digest))

    def free(self) -> None:
        """Remove what goes, objects by DVC's own collector."""
        from dvc_data.hashfile.gc import gc
        from dvc_data.hashfile.hash_info import HashInfo

        for run in self.stale_runs:
            run.path.unlink()
        gc(self.repo.cache.local, {HashInfo("md5", digest) for digest in self.used})

    def results(self) -> list[Result]:
        """Return what is still called a result when all that goes is gone.

        A commit on a branch keeps its result's name, and its small MLflow run, when its objects go.
        """
        gone = {each.commit for each in self.kept.removed}
        stale = {run.path for run in self.stale_runs}
        sighted = [(e, s) for e, s in self.kept.sighted if s.commit and s.commit not in gone]
        sighted += [(entry, Sighting()) for entry in self.work_tree]
        sighted += [(run.entry, Sighting()) for run in self.stage_runs if run.path not in stale]
        return join(sighted)

    def _is_young(self, run: StageRun) -> bool:
        return run.time >= self.kept.before

    def _named_by_revisions(self) -> set[str]:
        """Return what DVC says of work tree and commits; of a commit it is asked once, and that kept."""
        from dvc import __version__
        from dvc.exceptions import DvcException

        log = logging.getLogger("dvc")
        level, known = log.level, self._locks.kept
        log.setLevel(
            logging.ERROR
        )  # it warns of each output that a revision names without a digest
        keys = {commit: f"{commit}/{__version__}" for commit in self.kept.revisions}
        new = [commit for commit, key in keys.items() if key not in known.needs]
        found: set[str] = set()
        rev = ""
        try:
            for rev in track(
                self.repo.brancher(revs=new, sha_only=True), "revisions", len(new) + 1,
                disable=len(new) < MANY, transient=True, console=Console(stderr=True),
            ):  # fmt: skip
                named = {
                    each.value for objs in self.repo.index.used_objs().values() for each in objs
                }
                found |= named
                if rev in keys:
                    known.add(Needs(keys[rev], sorted(named)))
                    known.save()
        except DvcException as fault:
            raise RegistryError(
                "assay gc",
                f"{rev or 'work tree'}: {fault}: what it needs is not known, so nothing is freed",
                "a pipeline that DVC can read at every branch, tag and registered commit",
                "dvc status there, or git branch -D / git tag -d what is not wanted",
            ) from None
        finally:
            log.setLevel(level)
        return found.union(*(known.needs[key] for key in keys.values()))

    def _inside(self, digests: set[str]) -> set[str]:
        """Return the digests of the files in those folders."""
        found = set()
        for digest in digests:
            path = self.path(digest)
            if digest.endswith(".dir") and path.exists():
                found |= {item["md5"] for item in json.loads(path.read_text(encoding="utf-8"))}
        return found
