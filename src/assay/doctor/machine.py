"""The machine: room on the disk, cores, who git says you are, the environment that the lock pins."""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from assay.code.distributions import LOCK_FILE, pins
from assay.doctor.finding import Finding, Report
from assay.registry.gc_files import size
from assay.runs.cores import available_cores
from assay.runs.git import git
from assay.runs.places import PRIVATE
from assay.values import MACHINE

if TYPE_CHECKING:
    from assay.sections.machine import Machine
    from assay.sections.task import TaskParams

GIB = 2**30
SHARE = 0.1  # of what is used, at least, and 1 GiB: a sweep of ten values adds about that


def check_machine(root: Path, machine: Machine | None, tasks: Mapping[str, TaskParams]) -> Report:
    """Compare the machine with what the repository asks of it.

    Args:
        root: the repository.
        machine: the section of `params.yaml`; None where the file is faulty.
        tasks: each task's section of `params.yaml`.
    """
    used = size([root / PRIVATE, root / ".dvc" / "cache"])
    free = shutil.disk_usage(root).free
    cores = available_cores()
    findings = room(used, free)
    findings += threads(machine, tasks, cores)
    findings += _identity(root) + _environment(root) + _dvc()
    looked = f"{free / GIB:.1f} GiB free, {used / GIB:.1f} used, {cores} cores"
    return Report("machine", looked, findings)


def room(used: int, free: int) -> list[Finding]:
    """Return whether the disk has too little room, in bytes."""
    least = max(GIB, int(SHARE * used))
    if free >= least:
        return []
    said = f"{free / GIB:.1f} GiB free; .assay and .dvc/cache use {used / GIB:.1f}"
    return [Finding("disk", said, f"{least / GIB:.1f} GiB free", "assay gc --apply")]


def threads(machine: Machine | None, tasks: Mapping[str, TaskParams], cores: int) -> list[Finding]:
    """Return what declares more threads than there are cores: all tasks, or one: they run, but slower."""
    shared = machine.threads if machine else 0
    declared = {MACHINE: shared} | {
        f"{name}.train": task.train.threads
        for name, task in tasks.items() if task.train.threads != shared
    }  # fmt: skip
    return [
        Finding(f"{key}.threads", str(count), f"at most {cores}, the cores here",
                f"dvc exp run -S '{key}.threads={cores}'")
        for key, count in declared.items() if count > cores
    ]  # fmt: skip


def _identity(root: Path) -> list[Finding]:
    """Ask git who commits, without its guess from the machine's name."""
    if git(root, "-c", "user.useConfigOnly=true", "var", "GIT_COMMITTER_IDENT"):
        return []
    mend = "git config user.name '…' && git config user.email '…'"
    return [Finding("git identity", "nobody", "a name and an address, for the ledger", mend)]


def _environment(root: Path) -> list[Finding]:
    """Compare the installed packages with the lock."""
    where = str(LOCK_FILE)
    if not (root / LOCK_FILE).exists():
        mend = f"git checkout -- {where}"
        return [Finding(where, "no such file", "the pinned environment", mend)]
    wrong = []
    for name, version in pins(root).items():
        try:
            has = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            has = "none"
        if has != version:
            wrong.append(f"{name} {has}, locked {version}")
    if not wrong:
        return []
    more = f", and {len(wrong) - 3} more" if len(wrong) > 3 else ""
    said = f"{'; '.join(wrong[:3])}{more}"
    return [
        Finding(f"packages of {sys.executable}", said, f"what {LOCK_FILE} pins", "make environment")
    ]


def _dvc() -> list[Finding]:
    """Compare the `dvc` that a shell finds with the one beside this interpreter."""
    own, found = Path(sys.executable).parent, shutil.which("dvc")
    if found and Path(found).parent.resolve() == own.resolve():
        return []
    return [Finding("dvc", found or "not on PATH", f"{own}/dvc", f"export PATH={own}:$PATH")]
