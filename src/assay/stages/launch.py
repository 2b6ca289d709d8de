"""How every stage runs: parameters checked, inputs known, locked, logged."""

from __future__ import annotations

import multiprocessing
import os
import platform
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.code.declared import Declared
from assay.errors import AssayError
from assay.lookup import data_of
from assay.params import read_params
from assay.runs.events import EventLog, events_path
from assay.runs.files import content_digest
from assay.runs.git import git
from assay.runs.lock import held
from assay.runs.places import named_lock
from assay.section_check import check_own
from assay.sections.machine import RUNTIME, Runtime
from assay.values import MACHINE, declared_part, on_machine, typed, undotted

if TYPE_CHECKING:
    from dvc.repo import Repo

    from assay.values import S


@dataclass(frozen=True)
class Stage:
    """A running stage: what it declared, and nothing else.

    Attributes:
        name: as DVC calls it, for example `train@hemoglobin-conjunctiva`.
        item: what stands after the `@`, a section of `params.yaml`.
        root: the repository that was asked; in `dvc exp run --temp` not the working folder.
        declared: the declared parameters, nested.
        inputs: path → DVC's digest, of every declared dependency.
        runtime: what changes no byte, and so is not declared.
        key: digest of `declared` and `inputs`: equal keys, equal outputs.
        events: where clock, host and progress go.
        is_known: whether DVC knows the outputs of exactly this: who runs it again asks for a proof.
    """

    name: str
    item: str
    root: Path
    declared: Mapping[str, Any]
    inputs: Mapping[str, str]
    runtime: Runtime
    key: str
    events: EventLog
    is_known: bool = False

    def params(self, model: type[S]) -> S:
        """Return the item's own section as far as it was declared."""
        return declared_part(self.declared, self.item, model)

    def value(self, path: str) -> Any:
        """Return a declared plain value."""
        return undotted(self.declared, path)


def launch(main: Callable[[Stage], None], loaded: Iterable[str]) -> None:
    """Check what `params.yaml` holds for the stage, then run its `main` under its lock.

    By the code that its digest stands for, before and after: what fails leaves nothing to DVC.

    Args:
        main: of the stage.
        loaded: modules that were imported for it.
    """
    name = os.environ["DVC_STAGE"]
    code = Declared.read(name)
    code.ensure_same()
    code.ensure_loaded(loaded)
    stage = _load(name, Path(os.environ["DVC_ROOT"]))
    lock = named_lock(Path(), stage.name)
    with held(lock, f"{stage.name} runs already in this folder; waiting"), code.enforced():
        _run(main, stage, code)


def _run(main: Callable[[Stage], None], stage: Stage, code: Declared) -> None:
    stage.events.note("start", _circumstances())
    try:
        main(stage)
        code.ensure_same()
    except AssayError as error:
        stage.events.note("refused", {"error": str(error)})
        raise
    stage.events.note("end")


def _load(name: str, root: Path) -> Stage:
    """Ask DVC what the stage declared; nothing else reaches its parameters.

    In a process of its own: DVC's 45 MiB are needed for a second, and a stage may run for hours; what is
    imported there to check the parameters is no part of the stage's own code.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as other:
        declared, inputs, runtime, is_known = other.submit(_asked, name, root).result()
    key = content_digest({"declared": declared, "inputs": inputs})
    item = name.partition("@")[2]
    events = EventLog(events_path(root, name, key))
    return Stage(name, item, root, declared, inputs, runtime, key, events, is_known)


def _asked(name: str, root: Path) -> tuple[dict[str, Any], dict[str, str], Runtime, bool]:
    """Return the declared parameters, nested, DVC's digest of every declared dependency, and `runtime`.

    And whether the lock has them all: then DVC was forced, or has lost the outputs.

    Of the parameters, what `machine` says stands in the task's own section, as the record shall have it.
    What `params.yaml` holds for the stage is checked first, and whether a curriculum lets it begin.
    One stage is read of `dvc.yaml`, and of `dvc.lock` for a training alone: all stages and the lock,
    twice, as `dvc.api` and `Repo.stage` have it, cost 0.9 s of CPU, this 0.07, and the lock 0.2.
    """
    from dvc.dependency import ParamsDependency
    from dvc.dvcfile import PROJECT_FILE, load_file
    from dvc.repo import Repo
    from dvc.stage.loader import StageLoader

    from assay.registry.curriculum import ensure_open

    content, item = read_params(), name.partition("@")[2]
    check_own(content, item)
    ensure_open(root, data_of(item), content)
    declared: dict[str, Any] = {}
    inputs: dict[str, str] = {}
    with Repo() as repo:
        pipeline = load_file(repo, PROJECT_FILE)
        lock = _lock(repo) if name.startswith("train@") else {}
        stage = StageLoader(pipeline, pipeline.contents, lock)[name]
        is_known = name in lock.get("stages", {}) and not any(each.status() for each in stage.deps)
        for dependency in stage.deps:
            if isinstance(dependency, ParamsDependency):
                declared |= dependency.read_params(flatten=False)
            else:
                inputs[str(dependency)] = dependency.get_hash().value
    if "train" in declared.get(item, {}):
        declared[item] = on_machine(declared[item], {MACHINE: undotted(declared, MACHINE)})
        del declared[MACHINE]
    return declared, inputs, typed(content, RUNTIME, Runtime), is_known


def _lock(repo: Repo) -> dict[str, Any]:
    """Return what `dvc.lock` holds; nothing where another DVC is writing it at this moment."""
    from dvc.dvcfile import LOCK_FILE, Lockfile
    from dvc.exceptions import DvcException

    try:
        found: dict[str, Any] = Lockfile(repo, LOCK_FILE).load()
    except DvcException:
        return {}
    return found


def _circumstances() -> dict[str, Any]:
    """Return what outputs must not hold: who ran this, where, in which experiment, from which code."""
    return {
        "host": platform.node(),
        "machine": platform.machine(),
        "experiment": os.environ.get("DVC_EXP_NAME", ""),
        "baseline": os.environ.get("DVC_EXP_BASELINE_REV") or git(Path.cwd(), "rev-parse", "HEAD"),
        "changed": git(Path.cwd(), "status", "--porcelain", "--untracked-files=no").splitlines(),
    }
