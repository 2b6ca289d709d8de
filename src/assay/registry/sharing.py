"""Sharing the ledger with a remote: fetched, joined by union, pushed; never forced."""

from __future__ import annotations

from pathlib import Path

from assay.errors import MachineError
from assay.registry.ledger import BRANCH, REF, entries, merge_remotes
from assay.runs.git import git, must_git

ATTEMPTS = 5  # another clone may push between our fetch and our push


def share_ledger(root: Path, remote: str) -> str:
    """Bring the ledgers of this clone and of `remote` together; return what was done, in words.

    Raises:
        MachineError: the remote cannot be reached, or refuses.
    """
    theirs = f"refs/remotes/{remote}/{BRANCH}"
    merge_remotes(root)  # what was fetched before: a remote that was cut back since has it no more
    for attempt in range(1, ATTEMPTS + 1):
        if must_git(root, "ls-remote", remote, REF):
            must_git(root, "fetch", "-q", remote, f"+{REF}:{theirs}")
        if not entries(root):
            return "nothing to share yet"
        merge_remotes(root)
        try:
            must_git(root, "push", "-q", remote, f"{REF}:{REF}")
        except MachineError:
            if attempt == ATTEMPTS:
                raise
            continue
        break
    git(root, "update-ref", theirs, REF)
    return f"{len(entries(root))} entries here and at {remote}"
