"""`assay gc`: the collectors of DVC and MLflow, told what stays; and `.assay` by age."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assay.registry import gc_files as files
from assay.registry import gc_runs
from assay.registry.gc_busy import alone
from assay.registry.gc_cache import is_shared, objects_in
from assay.registry.ledger import entries
from assay.runs.git import git
from assay.tracking.entries import experiments, iter_lock_entries
from assay.tracking.results import join_results

if TYPE_CHECKING:
    from dvc.repo import Repo

    from assay.registry.gc_cache import Objects
    from assay.tracking.entries import Revision

DAY_S = 86400


@dataclass(frozen=True)
class Kind:
    """One kind of what can be freed.

    Attributes:
        name: in a word or two.
        items: what goes, by name.
        bytes: on the disk, as far as that is known beforehand.
        free: removes it.
        note: why something is spared, where a person would not expect it.
    """

    name: str
    items: Sequence[str]
    bytes: int
    free: Callable[[], object]
    note: str = ""


def collect(root: Path, keep_days: int, apply: bool) -> list[Kind]:
    """Return what can be freed by kind, and free it where `apply` says so.

    Args:
        root: the repository.
        keep_days: nothing younger goes.
        apply: whether to free it.

    Raises:
        RegistryError: somebody is at work; nothing is freed then.
    """
    from dvc.repo import Repo

    with Repo(str(root)) as repo, alone(root, repo) if apply else nullcontext():
        kinds = _plan(root, repo, keep_days)
        for kind in kinds if apply else ():
            kind.free()
    return kinds


def old_experiments(root: Path, before: float) -> list[Revision]:
    """Return the experiments that are old, and no tip of a branch or tag."""
    tips = git(
        root, "for-each-ref", "--format=%(objectname) %(*objectname)",
        "refs/heads", "refs/tags", "refs/remotes",
    ).split()  # fmt: skip
    found = experiments(root).values()
    return [each for each in found if each.time < before and each.commit not in tips]


def _plan(root: Path, repo: Repo, keep_days: int) -> list[Kind]:
    """Find all that goes, in an order in which what a kill leaves is found again."""
    before = time.time() - keep_days * DAY_S
    old = old_experiments(root, before)
    gone = {each.commit for each in old}
    objects = objects_in(root, repo, before, experiments(root).keys() - gone)
    names, refs = [each.experiment for each in old], [each.ref for each in old]
    return [
        Kind("experiments", names, 0, lambda: repo.experiments.remove(refs)),
        *(_paths(root, *found) for found in files.unused_for_long(root, before).items()),
        _paths(root, "images, phantoms", files.unnamed(root, repo, objects, before)),
        _cache(root, repo, objects),
        _runs(root, gone, objects, keep_days),
    ]


def _runs(root: Path, gone: set[str], objects: Objects, keep_days: int) -> Kind:
    """Find the runs that show neither a version nor what commits, work tree and run cache still hold."""
    went = list(objects.stale_runs.values())
    results = join_results(
        (entry, sighting)
        for entry, sighting in iter_lock_entries(root)
        if (sighting.commit not in gone if sighting.commit else entry not in went)
    )
    facts = [entry.facts for entry in entries(root)]
    kept = {
        (str(each["task"]), str(each["result"]))
        for each in facts
        if {"task", "result"} <= each.keys()
    }
    stale = gc_runs.stale_runs(root, kept | {(each.task, each.digest) for each in results})
    items = [*stale.runs, *stale.models]
    return Kind("MLflow runs", items, 0, lambda: gc_runs.free(root, stale, keep_days), stale.note)


def _paths(root: Path, name: str, found: list[Path]) -> Kind:
    shown = [str(path.relative_to(root)) for path in found]
    return Kind(name, shown, files.size(found), lambda: files.remove(found))


def _cache(root: Path, repo: Repo, objects: Objects) -> Kind:
    """Leave the objects to DVC's own collector; the remembered runs that made them go first."""
    from dvc_data.hashfile.gc import gc

    cache = repo.cache.local
    if is_shared(root, repo):
        return Kind("DVC cache", [], 0, lambda: None, f"shared ({cache.path}): dvc gc -p, by hand")

    def free() -> None:
        files.remove(objects.stale_runs)
        gc(cache, objects.used)

    paths = [*objects.stale_runs, *(Path(cache.oid_to_path(each)) for each in objects.unused)]
    items = [*objects.unused, *(path.name for path in objects.stale_runs)]
    return Kind("DVC cache", items, files.size(paths), free)
