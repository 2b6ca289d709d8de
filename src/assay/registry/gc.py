"""`assay gc`: what nothing names any more is shown, and freed on request; what is promoted, never."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import RegistryError
from assay.registry import gc_files as files
from assay.registry import gc_runs as runs
from assay.registry.gc_busy import workers
from assay.registry.gc_cache import Objects
from assay.registry.gc_kept import Kept
from assay.runs.lock import held

if TYPE_CHECKING:
    from dvc.repo import Repo

    from assay.registry.gc_kept import Experiment

DAY_S = 86400
WRITERS = (
    "candidate",
    "sync",
    "mirror",
)  # of the registry; each waits for the collector, and it for them


@dataclass(frozen=True)
class Kind:
    """One kind of what can be freed.

    Attributes:
        name: in a word or two.
        items: what goes, by name.
        bytes: on the disk.
        free: removes it.
        note: why something is spared, where a person would not expect it.
    """

    name: str
    items: Sequence[str]
    bytes: int
    free: Callable[[], None]
    note: str = ""


def collect(root: Path, keep_days: float, apply: bool) -> list[Kind]:
    """Return what can be freed by kind, and free it where `apply` says so.

    Args:
        root: the repository.
        keep_days: experiments, commits and runs of stages younger than this stay.
        apply: whether to free it.

    Raises:
        RegistryError: a stage runs, or DVC is at work; nothing is freed then.
    """
    from dvc.lock import LockError
    from dvc.repo import Repo, lock_repo

    with ExitStack() as stack:
        repo = stack.enter_context(Repo(str(root)))
        if apply:
            for name in WRITERS:
                lock = root / ".assay" / "locks" / f"{name}.lock"
                stack.enter_context(held(lock, f"another process holds {name}; waiting"))
            try:
                stack.enter_context(lock_repo(repo))
            except LockError:
                raise _busy(["DVC is at work in this repository"]) from None
            _ensure_idle(root)
        kinds = _plan(root, repo, time.time() - keep_days * DAY_S)
        for kind in kinds if apply else ():
            if kind.items:
                kind.free()
    return kinds


def _ensure_idle(root: Path) -> None:
    found = workers(root)
    if found:
        raise _busy(found)


def _busy(found: list[str]) -> RegistryError:
    return RegistryError(
        "assay gc",
        f"at work: {'; '.join(found)}. Nothing was freed",
        "no stage, no experiment that runs",
        "assay gc --apply, when it has ended",
    )


def _plan(root: Path, repo: Repo, before: float) -> list[Kind]:
    """Find all that goes; the cache comes last, so that what a kill leaves is found again."""
    kept = Kept(root, before)
    objects = Objects(repo, kept)
    stale = runs.stale_runs(root, objects)
    places = {
        "resume states": files.resume_states(root),
        "killed experiments": files.left_behind(root),
        "sweep logs": files.sweep_logs(root),
        "earlier studies": files.earlier_studies(root, before),
        "earlier features": files.earlier_features(root),
        "images, phantoms": files.unnamed_images(root, objects),
    }
    return [
        _experiments(repo, kept.removed),
        Kind(
            "MLflow runs",
            [*stale.runs, *stale.deleted, *stale.models],
            files.size(stale.places),
            lambda: runs.free(root, stale),
            f"its files lie in {stale.elsewhere}: assay doctor" if stale.elsewhere else "",
        ),
        *(_paths(root, name, found) for name, found in places.items()),
        _cache(objects),
    ]


def _experiments(repo: Repo, removed: list[Experiment]) -> Kind:
    def free() -> None:
        repo.experiments.remove([each.ref for each in removed])

    return Kind("experiments", [each.name for each in removed], 0, free)


def _paths(root: Path, name: str, found: list[Path]) -> Kind:
    shown = [str(path.relative_to(root)) for path in found]
    return Kind(name, shown, files.size(found), lambda: files.remove(found))


def _cache(objects: Objects) -> Kind:
    if objects.is_shared:
        place = objects.repo.cache.local.path
        return Kind("DVC cache", [], 0, lambda: None, f"shared ({place}): dvc gc -p, by hand")
    gone = [objects.path(digest) for digest in objects.stale]
    known = [run.path for run in objects.stale_runs]
    return Kind(
        "DVC cache", [*objects.stale, *map(str, known)], files.size(gone + known), objects.free
    )
