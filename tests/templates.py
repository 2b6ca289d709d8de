"""Projects that tests begin with, each made once for this state of the code, and copied."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import IO

from tests.project import ROOT, Project, listed

HOME = ROOT / ".assay" / "test-templates"
# Bytes depend on these: a training on another processor gives another weights file.
CHOSEN = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_CBWR", "OMP_NUM_THREADS")
MAKERS = ("project.py", "inproc.py", "templates.py", "stories.py", "warm.py")
MLFLOW = ".assay/mlflow/mlflow.db"
_held: list[IO[str]] = []


def template(name: str, make: Callable[[Path], None]) -> Path:
    """Return a template's folder; the first who asks makes it, whoever comes meanwhile waits.

    It is made aside and renamed: a kill leaves no half one.
    """
    home = _home()
    with (home / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / name).exists():
            aside = home / f"{name}.aside"
            shutil.rmtree(aside, ignore_errors=True)
            make(aside)
            moved(aside, home / name)
            aside.rename(home / name)
    return home / name


def copied(source: Path, target: Path) -> Project:
    """Copy a project, with its own store: MLflow knows its files by their absolute paths."""
    subprocess.run(["cp", "-a", "--reflink=auto", str(source), str(target)], check=True)
    moved(source, target, target)
    return Project(target)


def moved(before: Path, after: Path, lies: Path | None = None) -> None:
    """Rewrite the paths in the stores below a folder that was, or will be, moved."""
    for file in (lies or before).rglob(MLFLOW):
        with closing(sqlite3.connect(file)) as base, base:
            tables = base.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (table,) in tables:
                columns = base.execute(f'PRAGMA table_info("{table}")').fetchall()
                for column in (
                    each[1] for each in columns if "CHAR" in each[2] or "TEXT" in each[2]
                ):
                    base.execute(
                        f'UPDATE "{table}" SET "{column}" = replace("{column}", ?, ?) '
                        f'WHERE instr("{column}", ?)',
                        (f"{before}/", f"{after}/", f"{before}/"),
                    )


def _home() -> Path:
    """Return this state's folder, held until the process ends; those that nobody holds go."""
    if not _held:
        home = HOME / _digest()
        while not _held:
            home.mkdir(parents=True, exist_ok=True)
            held = (home / "held").open("a")
            fcntl.flock(held, fcntl.LOCK_SH)
            if os.fstat(held.fileno()).st_nlink:  # nobody removed it before it was held
                _held.append(held)
        for other in HOME.iterdir():
            if other != home:
                _remove(other)
    return Path(_held[0].name).parent


def _remove(other: Path) -> None:
    gone = contextlib.suppress(BlockingIOError, FileNotFoundError)  # held, or removed by another
    with gone, (other / "held").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(other, ignore_errors=True)


def _digest() -> str:
    """Return a digest of all that a template is made from."""
    known = hashlib.sha256(sys.version.encode())
    processor = Path("/proc/cpuinfo")
    if processor.exists():
        flags = next((x for x in processor.read_text().splitlines() if x.startswith("flags")), "")
        known.update(flags.encode())
    known.update(repr([os.environ.get(name) for name in CHOSEN]).encode())
    for path in [*(ROOT / name for name in listed()), *(ROOT / "tests" / name for name in MAKERS)]:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        known.update(f"{path.relative_to(ROOT)} {content}\n".encode())
    return known.hexdigest()[:16]
