"""How every stage runs: parameters checked, inputs known, locked, journalled."""

from __future__ import annotations

import multiprocessing
import os
import platform
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.errors import AssayError
from assay.params import PARAMS_FILE, S, declared_part, undotted
from assay.params_check import check_file
from assay.runs.files import content_digest
from assay.runs.git import git
from assay.runs.journal import Journal, spool_path
from assay.runs.lock import held


@dataclass(frozen=True)
class Stage:
    """A running stage: what it declared, and nothing else.

    Attributes:
        name: as DVC calls it, for example `train@hemoglobin-conjunctiva`.
        item: what stands after the `@`, a section of `params.yaml`.
        root: the repository that was asked; in `dvc exp run --temp` not the working folder.
        declared: the declared parameters, nested.
        inputs: path → DVC's digest, of every declared dependency.
        key: digest of `declared` and `inputs`: equal keys, equal outputs.
        journal: where clock, host and progress go.
    """

    name: str
    item: str
    root: Path
    declared: Mapping[str, Any]
    inputs: Mapping[str, str]
    key: str
    journal: Journal

    def params(self, model: type[S]) -> S:
        """Return the item's own section as far as it was declared."""
        return declared_part(self.declared, self.item, model)

    def value(self, path: str) -> Any:
        """Return a declared plain value."""
        return undotted(self.declared, path)


def launch(main: Callable[[Stage], None]) -> None:
    """Check the whole of `params.yaml`, then run a stage's `main` under its lock."""
    check_file(Path(PARAMS_FILE))
    stage = _load(os.environ["DVC_STAGE"], Path(os.environ["DVC_ROOT"]))
    lock = Path(".assay/locks") / f"{stage.name}.lock"
    with held(lock, f"{stage.name} runs already in this folder; waiting"):
        _run(main, stage)


def _run(main: Callable[[Stage], None], stage: Stage) -> None:
    stage.journal.note("start", _circumstances())
    try:
        main(stage)
    except AssayError as error:
        stage.journal.note("refused", {"error": str(error)})
        raise
    stage.journal.note("end")


def _load(name: str, root: Path) -> Stage:
    """Ask DVC what the stage declared; nothing else reaches its parameters.

    In a process of its own: DVC's 45 MiB are needed for a second, and a stage may run for hours.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as other:
        declared, inputs = other.submit(_asked, name).result()
    key = content_digest({"declared": declared, "inputs": inputs})
    item = name.partition("@")[2]
    return Stage(name, item, root, declared, inputs, key, Journal(spool_path(root, name, key)))


def _asked(name: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the declared parameters, nested, and DVC's digest of every declared dependency."""
    import dvc.api
    from dvc.dependency import ParamsDependency
    from dvc.repo import Repo

    declared = dvc.api.params_show(stages=name)
    with Repo() as repo:
        found = next(iter(repo.stage.collect(name)))
        inputs = {
            str(dependency): dependency.get_hash().value
            for dependency in found.deps
            if not isinstance(dependency, ParamsDependency)
        }
    return declared, inputs


def _circumstances() -> dict[str, Any]:
    """Return what outputs must not hold: who ran this, where, in which experiment, from which code."""
    return {
        "host": platform.node(),
        "machine": platform.machine(),
        "experiment": os.environ.get("DVC_EXP_NAME", ""),
        "baseline": os.environ.get("DVC_EXP_BASELINE_REV") or git(Path.cwd(), "rev-parse", "HEAD"),
        "changed": git(Path.cwd(), "status", "--porcelain", "--untracked-files=no").splitlines(),
    }
