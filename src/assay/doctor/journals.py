"""What Assay itself keeps: lines that a power cut spoilt, records and studies that cannot be read."""

from __future__ import annotations

import contextlib
import shlex
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from assay.doctor.finding import Finding, Report
from assay.errors import DamagedFileError
from assay.runs.files import read_json
from assay.runs.git import git
from assay.runs.lines import read_lines
from assay.runs.places import EVENTS, JOBS, STUDIES
from assay.runs.record import RECORD

# What is appended to, and what is written whole; jobs and the store heal their own.
LINES = (f"{EVENTS}/*/*.jsonl", f"{JOBS}/*/failures.jsonl")
WHOLE = (f"models/*/{RECORD}", "data/*.source.json", f"{STUDIES}/*/*/*.json")
DATABASES = f"{STUDIES}/*/*/*.db"


def check_journals(root: Path) -> Report:
    """Read every file of these; spoilt lines are passed over by who reads them, and told here."""
    lines, whole, databases = (
        [path for pattern in patterns for path in sorted(root.glob(pattern))]
        for patterns in (LINES, WHOLE, (DATABASES,))
    )
    hints = [hint for path in lines for hint in _spoilt(root, path)]
    findings = [found for path in whole for found in _unreadable(root, path)]
    findings += [found for path in databases for found in _damaged(root, path)]
    return Report(
        "journals", f"{len(lines)} logs, {len(whole) + len(databases)} records", findings, hints
    )


def check_modules(root: Path) -> Report:
    """Look for modules that git does not track: `dvc exp run --temp` would run without them."""
    found = untracked(root)
    return Report(
        "modules", "those that git does not track",
        [Finding(name, "untracked: no copy of the repository has it", "a module that git tracks",
                 f"git add {shlex.quote(name)}") for name in found],
    )  # fmt: skip


def untracked(root: Path) -> list[str]:
    """Return the modules below `src` that git neither tracks nor ignores."""
    listed = git(root, "ls-files", "--others", "--exclude-standard", "-z", "--", "src")
    return sorted(name for name in listed.split("\0") if name.endswith(".py"))


def _spoilt(root: Path, path: Path) -> Iterator[str]:
    for line in read_lines(path):
        if line.fault:
            place = f"{path.relative_to(root)} line {line.number}"
            yield f"{place}: {line.fault}, by a power cut; passed over, the others are read"


def _unreadable(root: Path, path: Path) -> Iterator[Finding]:
    try:
        read_json(path.relative_to(root) if Path.cwd() == root else path)
    except DamagedFileError as fault:
        yield Finding(fault.where, fault.found, fault.expected, fault.mend)


def _damaged(root: Path, path: Path) -> Iterator[Finding]:
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
            [said] = store.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as fault:
        said = str(fault)
    if said not in ("ok", "database is locked"):
        name = shlex.quote(str(path.relative_to(root)))
        mend = f"mv {name} {name}.damaged; the study begins anew beside it"
        yield Finding(str(path.relative_to(root)), said, "a database of trials", mend)
