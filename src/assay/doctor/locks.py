"""Locks that a killed process left: git's and DVC's are files that somebody has to remove.

Assay's own, and most of DVC's, are the kernel's: they end with their holder.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from assay.doctor.finding import Finding, Report
from assay.registry.ledger import REF, WITNESS
from assay.runs.git import git

GIT_LOCKS = (
    f"{REF}.lock",
    f"{WITNESS}.lock",
    "packed-refs.lock",
    "index.lock",
    "HEAD.lock",
    "config.lock",
)
STALE_S = 60  # git holds them for milliseconds; `git commit` in an editor holds none of these


def check_locks(root: Path) -> Report:
    """Look for lock files that nobody holds any more."""
    findings = []
    for name in GIT_LOCKS:
        path = root / git(root, "rev-parse", "--git-path", name)
        if path.exists() and time.time() - path.stat().st_mtime > STALE_S:
            said = f"older than {STALE_S} s: left by a git that was killed"
            findings.append(Finding(f"git's {name}", said, "no such file", f"rm -f {path}"))
    findings += _torn(root)
    return Report("locks", f"{len(GIT_LOCKS)} of git's, DVC's list of used files", findings)


def _torn(root: Path) -> list[Finding]:
    """Read DVC's list: it drops dead processes by itself, but stops at a list that was half written."""
    path = root / ".dvc" / "tmp" / "rwlock"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except ValueError:
        content = None
    if isinstance(content, dict):
        return []
    return [
        Finding("DVC's rwlock", "half written by a dvc that was killed", "JSON", f"rm -f {path}")
    ]
