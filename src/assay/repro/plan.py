"""What is to be run: DVC is asked once, in this process, what changed; it stays the one who knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import AssayError, MachineError, nearest
from assay.repro.branches import branches

if TYPE_CHECKING:
    from assay.repro.branches import Branch

CODE = "code"  # the stage that writes down what every other can reach
RWLOCK = ".dvc/tmp/rwlock"  # where DVC notes which process reads and writes what


@dataclass(frozen=True)
class ReproPlan:
    """What is asked for: every stage in order, and the branches of those that may have to run.

    Attributes:
        stages: names, in order.
        branches: of changed stages, and of all that depends on one.
        code: the same of changed stages `code` alone: only they tell what an edit has changed.
    """

    stages: tuple[str, ...]
    branches: tuple[Branch, ...]
    code: tuple[Branch, ...]


def plan_repro(root: Path, targets: Sequence[str]) -> ReproPlan:
    """Return what the targets need: a changed stage, and whatever depends on one, may have to run.

    Args:
        root: of the repository.
        targets: as `dvc repro` takes them; none means the whole of `dvc.yaml`.

    Raises:
        AssayError: a target is no stage.
        MachineError: another DVC process works on these files, or has left its locks broken.
    """
    from dvc.repo import Repo
    from dvc.repo.reproduce import get_active_graph, plan_repro

    with _told(), _params_read_once(), Repo(str(root), _wait_for_lock=True) as repo, repo.lock:
        graph = get_active_graph(repo.index.graph)
        steps = plan_repro(graph, _asked(repo, targets))
        stale: list[Any] = []
        for stage in steps:
            if set(graph.successors(stage)) & set(stale) or stage.changed():
                stale.append(stage)
        needs = {
            stage.addressing: {each.addressing for each in graph.successors(stage) if each in stale}
            for stage in stale
        }
    names = tuple(stage.addressing for stage in steps)
    code = [name for name in needs if name.partition("@")[0] == CODE]
    return ReproPlan(
        names,
        tuple(branches(list(needs), needs)),
        tuple(branches(code, {name: needs[name] & set(code) for name in code})),
    )


def _asked(repo: Any, targets: Sequence[str]) -> list[Any]:
    """Return the stages of the targets, those of `dvc.yaml` where there is none."""
    from dvc.dvcfile import PROJECT_FILE
    from dvc.exceptions import DvcException
    from dvc.repo.reproduce import collect_stages

    if not targets:
        return [stage for stage in repo.index.stages if stage.path_in_repo == PROJECT_FILE]
    found = []
    for target in targets:
        try:
            found += collect_stages(repo, [target])
        except DvcException:
            raise _unknown(repo, target) from None
    return found


def _unknown(repo: Any, target: str) -> AssayError:
    names = sorted({stage.addressing for stage in repo.index.stages})
    groups = sorted({name.partition("@")[0] for name in names})
    expected = nearest(target, [*names, *groups])
    return AssayError(target, "no such stage", expected, "dvc stage list --all shows them")


@contextmanager
def _params_read_once() -> Iterator[None]:
    """Let DVC parse `params.yaml` once, and not for each stage that names a part of it: 0.9 s of 1.9."""
    from dvc.dependency import param

    load = param.load_path
    param.load_path = cache(load)
    try:
        yield
    finally:
        param.load_path = load


@contextmanager
def _told() -> Iterator[None]:
    """Turn what DVC says of its locks and files into ours, with the way out."""
    from dvc.exceptions import DvcException
    from dvc.lock import LockError
    from dvc.rwlock import RWLockFileCorruptedError, RWLockFileFormatError

    try:
        yield
    except (RWLockFileCorruptedError, RWLockFileFormatError) as fault:
        raise MachineError(
            RWLOCK, str(fault), "what a dvc that was killed left half-written",
            f"when no dvc runs here: rm {RWLOCK}",
        ) from None  # fmt: skip
    except LockError as fault:
        raise MachineError(
            "another dvc works on these files", str(fault), "one at a time",
            f"wait for it, or work beside it in a folder of your own: dvc exp run --temp; "
            f"when no such process runs: rm {RWLOCK}",
        ) from None  # fmt: skip
    except DvcException as fault:
        raise AssayError("dvc", str(fault), mend="dvc status") from None
