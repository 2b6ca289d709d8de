"""Who is at work in a repository: stages that hold their lock, experiments in folders of their own."""

from __future__ import annotations

import json
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from assay.runs.lock import holder_of

TEMPORARY = Path(".dvc/tmp/exps/standalone")


def workers(root: Path) -> list[str]:
    """Return who is at work, one line each; empty when nobody is."""
    found = []
    for place in (root, *temporary(root)):
        locks = place / ".assay" / "locks"
        for lock in sorted([*locks.glob("*@*.lock"), *locks.glob("resume-*.lock")]):
            holder = holder_of(lock)
            if holder:
                found.append(f"process {holder} holds {lock.relative_to(root)}")
    found += [f"process {pid} runs in {place.relative_to(root)}" for pid, place in inside(root)]
    return found + _declared(root)


def temporary(root: Path) -> list[Path]:
    """Return the folders of `dvc exp run --temp`; those of killed ones stay behind."""
    return sorted((root / TEMPORARY).glob("tmp*"))


def inside(root: Path) -> list[tuple[int, Path]]:
    """Return the processes whose working folder is that of a temporary experiment."""
    folders, found = temporary(root), []
    for process in psutil.process_iter(["pid", "cwd"]) if folders else ():
        where = Path(process.info["cwd"] or "/")
        found += [(process.info["pid"], each) for each in folders if where.is_relative_to(each)]
    return found


def _declared(root: Path) -> list[str]:
    """Return the processes that DVC's own list of used files names and that live."""
    try:
        content = json.loads((root / ".dvc/tmp/rwlock").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # a torn list is the doctor's affair
        return []
    used = [*content.get("write", {}).values()]
    used += [info for infos in content.get("read", {}).values() for info in infos]
    found = {info["pid"]: info["cmd"] for info in used if psutil.pid_exists(info["pid"])}
    return [f"process {pid}: {command}" for pid, command in sorted(found.items())]
