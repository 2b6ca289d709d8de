"""Versions as the ledger has them against git: numbers, commits, tags."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assay.doctor.finding import Finding, Report
from assay.doctor.ledger import malformed
from assay.registry.ledger import entries
from assay.registry.versions import CANDIDATE, IMPORT, PROMOTION, tasks_in, versions
from assay.runs.git import git

if TYPE_CHECKING:
    from assay.registry.ledger import Entry
    from assay.registry.versions import Version


def check_versions(root: Path) -> Report:
    """Find numbers that two entries claim, commits that git lacks or will drop, tags gone or moved."""
    # One that lacks what it is about may be there for good: the ledger only grows.
    found = [entry for entry in entries(root) if not malformed(entry)]
    known = [version for task in tasks_in(found) for version in versions(root, task)]
    promoted = [entry for entry in found if entry.kind == PROMOTION]
    findings = [*_claimed_twice(found, known)]
    findings += [each for version in known for each in _commit(root, version)]
    findings += [each for entry in promoted for each in _tag(root, entry)]
    tags = len({entry.facts["tag"] for entry in promoted})
    return Report("versions", f"{len(known)} registered, {tags} promoted", findings)


def _claimed_twice(found: Sequence[Entry], known: Sequence[Version]) -> list[Finding]:
    """Two clones that register before they share both say v7; the first in the ledger's order is v7."""
    taken = {(version.task, version.number): version for version in known}
    results = {(version.task, version.result) for version in known}
    findings = []
    for entry in found:
        if entry.kind not in {CANDIDATE, IMPORT}:
            continue
        task, number, result = (entry.facts[key] for key in ("task", "version", "result"))
        first = taken[task, int(number)]
        # Registered again it has a number of its own, and its first entry is history.
        if first.result == result or (task, result) in results:
            continue
        commit = entry.facts.get("commit", "")[:12]
        again = f"git switch --detach {commit} && dvc checkout && assay register {task}"
        if entry.kind == IMPORT:
            again = f"assay import {task} {entry.facts.get('file', '<file>')}"
        findings.append(
            Finding(
                f"{task}/v{number}",
                f"claimed by {first.entry.commit[:8]}, and by {entry.commit[:8]} of {entry.who}",
                "one model a number; the first keeps it",
                again,
            )
        )
    return findings


def _commit(root: Path, version: Version) -> list[Finding]:
    commit = version.commit
    if not commit:
        return []
    if git(root, "cat-file", "-t", commit) != "commit":
        said, mend = "its commit is not in this clone", "git fetch --all --tags"
        return [Finding(version.tag, f"{said} ({commit[:12]})", "the commit", mend)]
    held = git(root, "for-each-ref", "--count=1", "--contains", commit, "--format=%(refname)")
    if held or git(root, "merge-base", commit, "HEAD") == commit:
        return []
    mend = f"git branch {version.task}-v{version.number} {commit}"
    said = f"no branch or tag holds its commit {commit[:12]}; git drops it in time"
    return [Finding(version.tag, said, "a branch or tag", mend)]


def _tag(root: Path, entry: Entry) -> list[Finding]:
    tag, commit = entry.facts["tag"], entry.facts["commit"]
    if git(root, "cat-file", "-t", commit) != "commit":
        return []  # told above, and there is nothing to tag
    has = git(root, "rev-parse", "-q", "--verify", f"refs/tags/{tag}^{{commit}}")
    if has == commit:
        return []
    said = f"moved to {has[:12]}" if has else "gone"
    mend = f"git tag -f -a -m '{tag}, promoted; ledger {entry.commit}' {tag} {commit}"
    return [Finding(f"tag {tag}", said, f"at {commit[:12]}, the promoted commit", mend)]
