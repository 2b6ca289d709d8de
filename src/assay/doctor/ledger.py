"""The ledger against its own witness, and against the remotes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assay.doctor.finding import Finding, Report
from assay.registry import curriculum
from assay.registry.ledger import BRANCH, REF, UNREADABLE, WITNESS, entries
from assay.registry.versions import CANDIDATE, IMPORT, PROMOTION, ROLLBACK
from assay.runs.git import git

if TYPE_CHECKING:
    from assay.registry.ledger import Entry

RESTORE = "assay ledger --restore"
# What those who read the ledger ask of an entry.
FACTS = {
    CANDIDATE: ("task", "version", "result", "files", "record", "commit"),
    IMPORT: ("task", "version", "result", "files"),
    PROMOTION: ("task", "version", "commit", "tag"),
    ROLLBACK: ("task", "version", "from"),
    curriculum.CURRICULUM: curriculum.FACTS,
    "look": ("task", "version", "result", "test_digest"),
    "scores": ("result", "number", "budget", "scores"),
}


def check_ledger(root: Path, ask_remote: bool) -> Report:
    """Compare the branch with its witness, and with the remotes as last fetched, or as they are."""
    found = entries(root)
    findings = [*_lost(root, found), *_no_entries(root, found)]
    state = "broken" if findings else "whole"
    if not found:
        return Report("ledger", "no entries yet")
    shared, hints = _shared(root, ask_remote)
    more = "" if shared or hints else ", as every remote has it"
    hints = [*hints, *_rewritten(found), *_passed_over(found)]
    return Report("ledger", f"{len(found)} entries, {state}{more}", [*findings, *shared], hints)


def malformed(entry: Entry) -> list[str]:
    """Return the facts that an entry of its kind must have, and lacks."""
    facts = entry.facts
    lacking = [name for name in FACTS.get(entry.kind, ()) if name not in facts]
    is_whole = isinstance(facts.get("files", {}), Mapping)
    return lacking if is_whole else [*lacking, "files by name"]


def _lost(root: Path, found: Sequence[Entry]) -> list[Finding]:
    """Compare the branch with the witness, which moves with every entry and never back."""
    if not _commit(root, WITNESS):
        return []
    if not _commit(root, REF):
        return [
            Finding(
                BRANCH, "the branch is gone; its entries are still known", "the branch", RESTORE
            )
        ]
    gone = git(root, "rev-list", WITNESS, f"^{REF}").splitlines()
    if not gone:
        return []
    last = next((entry for entry in reversed(found) if entry.commit in gone), None)
    said = f", the last a {last.kind} by {last.who}" if last else ""
    return [
        Finding(
            BRANCH,
            f"cut back or rewritten: {len(gone)} commit(s) that it had are missing ({gone[0][:8]}{said})",
            "a branch that only grows",
            RESTORE,
        )
    ]


def _no_entries(root: Path, found: Sequence[Entry]) -> list[Finding]:
    """Find commits that are no entry, or lack facts, above the witness: those can be dropped."""
    above = set(git(root, "rev-list", REF, f"^{WITNESS}").splitlines())
    findings = []
    for entry in found:
        if entry.commit not in above:
            continue
        name = f"{BRANCH} {entry.commit[:8]}"
        if entry.kind == UNREADABLE:
            said = f"a commit by hand, {entry.facts['text'].partition(chr(10))[0]!r} by {entry.who}"
            findings.append(Finding(name, said, "an entry that assay wrote", RESTORE))
        elif malformed(entry):
            said = f"a {entry.kind} by {entry.who} without {', '.join(malformed(entry))}"
            mend = f"git update-ref {REF} {WITNESS}"
            findings.append(Finding(name, said, "an entry that assay wrote", mend))
    return findings


def _rewritten(found: Sequence[Entry]) -> list[str]:
    """Tell of entries that claim the same moment: one is the other in other words, and both count."""
    first: dict[tuple[str, float], Entry] = {}
    hints = []
    for entry in found:
        twin = first.setdefault((entry.kind, entry.time), entry)
        if twin is not entry:
            hints.append(f"{entry.commit[:8]} is {twin.commit[:8]} rewritten; both are read")
    return hints


def _passed_over(found: Sequence[Entry]) -> list[str]:
    """Tell of entries that lack what they are about: they stay, for the ledger only grows."""
    lacking = [(entry, ", ".join(malformed(entry))) for entry in found]
    return [
        f"{entry.commit[:8]} is a {entry.kind} without {names}; it is not read"
        for entry, names in lacking
        if names
    ]


def _shared(root: Path, ask_remote: bool) -> tuple[list[Finding], list[str]]:
    """Compare with the remotes that hold a ledger; one is enough."""
    remotes = git(root, "remote").splitlines()
    if not remotes:
        return [], ["no remote: the ledger exists once"]
    tips = {name: _theirs(root, name, ask_remote) for name in remotes}
    known = {name: tip for name, tip in tips.items() if tip}
    when = "now" if ask_remote else "as last fetched"
    if not known:
        name = "origin" if "origin" in remotes else remotes[0]
        return [
            Finding(
                f"{BRANCH} at {name}", f"none, {when}", "a copy", f"assay ledger --share {name}"
            )
        ], []
    return [each for name, tip in known.items() for each in _compare(root, name, tip, when)], []


def _theirs(root: Path, name: str, ask_remote: bool) -> str:
    if ask_remote:
        return git(root, "ls-remote", name, REF).partition("\t")[0]
    return _commit(root, f"refs/remotes/{name}/{BRANCH}")


def _compare(root: Path, name: str, tip: str, when: str) -> list[Finding]:
    mend = f"assay ledger --share {name}"
    subject = f"{BRANCH} at {name}"
    if not _commit(root, tip):
        return [
            Finding(subject, f"has entries that were never fetched, {when}", "both alike", mend)
        ]
    if not _commit(root, REF):  # a clone reads the remote's
        return []
    missing = git(root, "rev-list", "--count", tip, f"^{REF}")
    unshared = git(root, "rev-list", "--count", REF, f"^{tip}")
    findings = []
    if missing != "0":
        findings.append(Finding(subject, f"has {missing} more, {when}", "both alike", mend))
    if unshared != "0":
        findings.append(Finding(subject, f"lacks {unshared}, {when}", "both alike", mend))
    return findings


def _commit(root: Path, name: str) -> str:
    return git(root, "rev-parse", "-q", "--verify", f"{name}^{{commit}}")
