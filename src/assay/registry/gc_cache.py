"""DVC's cache: which objects DVC says are used, and which runs of stages rest on others."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import RegistryError
from assay.registry.ledger import entries
from assay.registry.versions import digests_in
from assay.runs.git import git, objects_of
from assay.tracking.locks import Locks

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc_data.hashfile.hash_info import HashInfo

    from assay.tracking.lock_text import LockEntry


@dataclass(frozen=True)
class Objects:
    """What DVC keeps of outputs, and of runs of stages that need not be repeated.

    Attributes:
        used: the objects that stay.
        unused: the digests of those that go.
        stale_runs: files of the run cache of which an output goes, each with what it remembers.
    """

    used: set[HashInfo]
    unused: list[str]
    stale_runs: dict[Path, LockEntry]


def objects_in(root: Path, repo: Repo, before: float, experiments: Iterable[str]) -> Objects:
    """Ask DVC what stays of its cache.

    Args:
        root: the repository.
        repo: the same, as DVC has it.
        before: seconds since 1970; nothing younger goes.
        experiments: commits of those that stay.

    Raises:
        RegistryError: DVC cannot tell what a commit needs.
    """
    runs = dict(Locks(root).remembered(Path(repo.stage_cache.cache_dir)))
    young = [path for path in runs if path.stat().st_mtime >= before]
    used = _used(root, repo, before, experiments, young)
    named = {each.value for each in used}
    here = [] if is_shared(root, repo) else repo.cache.local.all()
    unused = {digest for digest in here if digest not in named}
    stale = {path: run for path, run in runs.items() if unused & set(run.outs.values())}
    return Objects(used, sorted(unused), stale)


def is_shared(root: Path, repo: Repo) -> bool:
    """Whether the cache lies elsewhere: what other repositories need of it is not known here."""
    return not Path(repo.cache.local.path).resolve().is_relative_to(root.resolve())


def _used(
    root: Path, repo: Repo, before: float, experiments: Iterable[str], young: list[Path]
) -> set[HashInfo]:
    """Return what `dvc gc -w -a -T` keeps, and what it is told beyond that.

    Told are the young commits that changed what DVC reads (each costs it 0.3 s), experiments, the
    remotes' branches, the stash, what young runs of stages left, and what the ledger names: its commits,
    and by digest the files that no commit here holds.
    """
    from dvc.exceptions import DvcException
    from dvc_data.hashfile.hash_info import HashInfo

    facts = [entry.facts for entry in entries(root)]
    tips = git(root, "for-each-ref", "--format=%(objectname)", "refs/remotes", "refs/stash")
    young_commits = git(
        root,
        "log",
        "--all",
        "--full-history",
        f"--since={int(before)}",
        "--format=%H",
        "--",
        "dvc.lock",
        "*.dvc",
    )
    commits = [
        *experiments,
        *tips.split(),
        *young_commits.split(),
        *(str(each.get("commit", "")) for each in facts),
    ]
    try:
        with _quiet():
            found = repo.used_objs(
                all_branches=True, all_tags=True,
                revs=[each for each in objects_of(root, [f"{c}^{{commit}}" for c in commits]) if each],
                force=True,  # a clone lacks folders of older commits; what lay in them it lacks too
                used_run_cache=[(path.parent.name, path.name) for path in young],
            )  # fmt: skip
    except DvcException as fault:
        raise RegistryError(
            "assay gc",
            f"{fault}: what it needs is not known, so nothing is freed",
            "a pipeline that DVC can read at every branch, tag and registered commit",
            "dvc status there, or git branch -D / git tag -d what is not wanted",
        ) from None
    return {HashInfo("md5", digest) for digest in digests_in(facts)}.union(*found.values())


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep DVC from warning of each output that a commit names without a digest."""
    log = logging.getLogger("dvc")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)
