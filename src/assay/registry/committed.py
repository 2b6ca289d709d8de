"""What is registered or judged stands in a commit, and is what its code and data give."""

from __future__ import annotations

from pathlib import Path

from assay.errors import RegistryError
from assay.runs.git import git

COMMITTED = ("dvc.lock", "dvc.yaml", "params.yaml", "requirements.lock", "src")


def ensure_committed(root: Path, where: str, *stages: str) -> str:
    """Return the commit that holds what the stages left in the work tree.

    Args:
        root: the repository.
        where: what it is for, for people.
        stages: asked with all those before them.

    Raises:
        RegistryError: it is not committed, or the work tree's files are others than its lock holds.
    """
    changed = git(root, "status", "--porcelain", "--", *COMMITTED)
    if changed:
        raise RegistryError(
            where,
            f"not committed: {' '.join(changed.split())}",
            "a commit that holds the model",
            "git commit -a -m 'Train …', then again",
        )
    stale = _stale(root, stages)
    if stale:
        raise RegistryError(
            where,
            f"stale: {stale}",
            "outputs that agree with code, data and dvc.lock",
            f"dvc repro {' '.join(stages)}",
        )
    return git(root, "rev-parse", "HEAD")


def _stale(root: Path, stages: tuple[str, ...]) -> str:
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        return ", ".join(repo.status(targets=list(stages), with_deps=True))
