"""What a training of a task would read, by DVC's digests; refused while its data are not up to date."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import AssayError

if TYPE_CHECKING:
    from assay.contract.task import Task


def training_inputs(root: Path, task: Task) -> dict[str, str]:
    """Return path → digest of everything that the stage `train` of the task depends on.

    Raises:
        AssayError: the data's stages have not run since something of theirs changed; or a gate refused.
    """
    from dvc.dependency import ParamsDependency
    from dvc.repo import Repo

    gate = f"leakage@{task.data}"
    with contextlib.chdir(root), Repo() as repo:
        changed = repo.status(targets=[gate], with_deps=True)
        if changed:
            raise AssayError(
                f"data {task.data}",
                f"not up to date: {', '.join(changed)}",
                "gates that have judged the data as they stand",
                f"dvc repro {gate}",
            )
        stage = next(iter(repo.stage.collect(f"train@{task.name}")))
        return {
            str(dependency): dependency.get_hash().value
            for dependency in stage.deps
            if not isinstance(dependency, ParamsDependency)
        }
