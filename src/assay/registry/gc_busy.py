"""Whether the collector may begin: nobody at work, and nobody who begins meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from assay.errors import RegistryError
from assay.runs.lock import held, holder_of
from assay.runs.places import LOCKS, STUDIES, named_lock

if TYPE_CHECKING:
    from dvc.repo import Repo

WRITERS = ("candidate", "sync", "mirror")  # each waits for the collector, and it for them


@contextmanager
def alone(root: Path, repo: Repo) -> Iterator[None]:
    """Hold what DVC and the registry's writers hold while they work.

    Raises:
        RegistryError: DVC, a stage, a study or an experiment is at work.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import lock_repo
    from dvc.rwlock import rwlock

    with ExitStack() as stack:
        for name in WRITERS:
            stack.enter_context(
                held(named_lock(root, name), f"another process holds {name}; waiting")
            )
        try:
            # DVC holds the one between stages, and the other for a stage's files while it runs.
            stack.enter_context(lock_repo(repo))
            how = repo.config["core"].get("hardlink_lock", False)
            files = rwlock(repo.tmp_dir, repo.fs, "assay gc", [], [repo.root_dir], how)
            stack.enter_context(files)
        except DvcException as fault:
            raise _at_work(f"DVC: {' '.join(str(fault).split())}") from None
        found = [*_holders(root), *_inside(root)]
        if found:
            raise _at_work("; ".join(found))
        yield


def _holders(root: Path) -> Iterator[str]:
    """Yield the processes that hold the lock of a stage, a training or a study."""
    for pattern in (f"{LOCKS}/*.lock", f"{STUDIES}/*/*/*.lock"):
        for lock in sorted(root.glob(pattern)):
            holder = "" if lock.stem in WRITERS else holder_of(lock)
            if holder:
                yield f"process {holder} holds {lock.relative_to(root)}"


def _inside(root: Path) -> Iterator[str]:
    """Yield the processes whose working folder is that of an experiment with a folder of its own."""
    for process in psutil.process_iter(["pid", "cwd"]):
        where = Path(process.info["cwd"] or "/")
        if where.is_relative_to(root / ".dvc/tmp/exps"):
            yield f"process {process.info['pid']} runs in {where.relative_to(root)}"


def _at_work(found: str) -> RegistryError:
    return RegistryError(
        "assay gc",
        f"at work: {found}. Nothing was freed",
        "no stage, no experiment that runs",
        "assay gc --apply, when it has ended",
    )
