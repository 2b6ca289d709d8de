"""The ledger: registrations, looks at test sets, promotions; each a commit on the branch `assay/ledger`.

An entry is a commit that changes no file: its subject says in words what happened, its body holds the
facts as JSON, git says who and when, and git's chain of commits is the hash chain. So the work tree is
never touched, checkouts and `dvc exp apply` cannot roll it back, and it travels with a clone.

It is read from three places, and their union counts: the branch; the remotes' branches of that name,
which a clone has before its own; and `refs/assay/witness`, which moves with every append, so that a
branch that was cut back or rewritten loses nothing and is noticed.
"""

from __future__ import annotations

import heapq
import json
import math
import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.errors import MachineError, RegistryError
from assay.runs.git import git, must_git

BRANCH = "assay/ledger"
REF = f"refs/heads/{BRANCH}"
WITNESS = "refs/assay/witness"
REMOTES = f"refs/remotes/*/{BRANCH}"
ABSENT = "0" * 40
PATIENCE_S = 60.0  # 8 writers at once wait less than one second each
JOIN, UNREADABLE = "join", "unreadable"
# How git says that another writer holds the branch or was quicker; anything else is no use to try again.
BUSY = ("but expected", "reference already exists", "File exists", "unable to resolve reference")


@dataclass(frozen=True)
class Entry:
    """One entry.

    Attributes:
        commit: its hash.
        who: name and address, as git knows them.
        time: seconds since 1970.
        kind: what happened; `unreadable` where somebody committed something else to the branch.
        facts: what belongs to it.
    """

    commit: str
    who: str
    time: float
    kind: str
    facts: Mapping[str, Any]


def append(root: Path, kind: str, subject: str, facts: Mapping[str, Any]) -> Entry:
    """Add an entry by compare-and-swap; where another writer was quicker, its entry comes first.

    Args:
        root: the repository.
        kind: one word.
        subject: the entry in words, one line.
        facts: what JSON can hold.

    Raises:
        MachineError: git knows nobody's name, or refuses to write.
        RegistryError: others held the branch for a minute, or a killed git left its lock.
    """
    body: dict[str, Any] = {"kind": kind, "time": round(time.time(), 6), "facts": dict(facts)}
    said = " ".join(subject.split())
    message = f"{said}\n\n{json.dumps(body, sort_keys=True, ensure_ascii=False)}\n"
    ends = time.monotonic() + PATIENCE_S
    lost = 0
    while True:
        tips = _tips(root)
        parents = [part for tip in _ends(root, list(tips.values())) for part in ("-p", tip)]
        # The branch's own files, mostly none: somebody may have it checked out.
        tree = f"{tips[REF]}^{{tree}}" if REF in tips else must_git(root, "mktree", given="")
        new = must_git(root, "commit-tree", tree, *parents, given=message)
        busy = _swap(root, new, tips.get(REF, ABSENT))
        if not busy:
            who = git(root, "show", "-s", "--format=%an <%ae>", new)
            return Entry(new, who, body["time"], kind, body["facts"])
        if time.monotonic() > ends:
            raise _too_busy(busy)
        # Random, so that writers do not march in step; longer with every loss: a fifth of the tries.
        time.sleep(random.uniform(0, 0.05 * 2 ** min(lost, 4)))  # noqa: S311 - no secret
        lost += 1


def entries(root: Path) -> list[Entry]:
    """Return every entry, from here and from the remotes as last fetched; parents first, then by time."""
    tips = list(_tips(root).values())
    if not tips:
        return []
    log = must_git(root, "log", "-z", "--format=%H%n%P%n%an <%ae>%n%ct%n%B", *tips, "--")
    found, parents = {}, {}
    for text in filter(None, log.split("\0")):
        commit, before, who, clock, body = text.split("\n", 4)
        found[commit] = _parsed(commit, who, float(clock), body)
        parents[commit] = before.split()
    return [each for each in _in_order(found, parents) if each.kind != JOIN]


def merge_remotes(root: Path) -> None:
    """Make the branch hold what the remotes' branches hold as well, so that it can be pushed."""
    tips = _tips(root)
    ends = _ends(root, list(tips.values()))
    own = tips.get(REF, ABSENT)
    if len(ends) > 1 or (ends and ends != [own] and _swap(root, ends[0], own)):
        append(root, JOIN, "join the ledgers of several clones", {})


def is_shallow(root: Path) -> bool:
    """Return whether this clone was cut off on fetching: its ledger may begin too late."""
    return git(root, "rev-parse", "--is-shallow-repository") == "true"


def is_cut(root: Path) -> str:
    """Return the last entry that the branch once had and has no more, or an empty text."""
    tips = _tips(root)
    witness = tips.get(WITNESS, "")
    if not witness or (REF in tips and _ends(root, [tips[REF], witness]) == [tips[REF]]):
        return ""
    return witness


def restore(root: Path) -> str:
    """Put the branch back to what it had; return what was done, in words.

    What stands on the branch alone and is no entry, or an entry of before in other words, gives way;
    anything else stays, joined with what was lost.
    """
    tips = _tips(root)
    if WITNESS not in tips:
        merge_remotes(root)
        return "no witness here: the branch holds what the remotes hold"
    mine, witness = tips.get(REF, ABSENT), tips[WITNESS]
    added = set(git(root, "rev-list", mine, f"^{witness}").splitlines())
    lost = set(git(root, "rev-list", witness, f"^{mine}" if REF in tips else "--").splitlines())
    if not added and not lost:
        return "whole; nothing to restore"
    known = {entry.commit: entry for entry in entries(root)}
    moments = {(known[each].kind, known[each].time) for each in lost & known.keys()}
    own = [known[each] for each in added & known.keys()]
    if any(e.kind != UNREADABLE and (e.kind, e.time) not in moments for e in own):
        append(root, JOIN, "join what the branch lost", {})
        return f"{len(lost)} commit(s) joined again"
    must_git(root, "update-ref", REF, witness, mine)
    return f"{len(lost)} commit(s) restored, {len(added)} that stood in their place dropped"


def _tips(root: Path) -> dict[str, str]:
    """Return ref → commit of the places where the ledger lies; the branch first."""
    listing = must_git(
        root, "for-each-ref", "--format=%(refname) %(objectname)", REF, WITNESS, REMOTES
    )
    found = dict(line.split(" ", 1) for line in listing.splitlines())
    return dict(sorted(found.items(), key=lambda item: item[0] != REF))


def _ends(root: Path, tips: list[str]) -> list[str]:
    """Drop the tips that others lead back to."""
    different = list(dict.fromkeys(tips))
    if len(different) < 2:
        return different
    return must_git(root, "merge-base", "--independent", *different).splitlines()


def _swap(root: Path, new: str, old: str) -> str:
    """Move branch and witness to `new`, both or none, if the branch still stands at `old`.

    Returns why not, where another writer holds it or was quicker. The branch goes first: killed between
    the two, the witness lags behind, and not the branch.
    """
    moves = f"update {REF} {new} {old}\nupdate {WITNESS} {new}\n"
    try:
        must_git(root, "update-ref", "--stdin", given=moves)
    except MachineError as fault:
        in_the_way = re.search(r"'refs/heads/(\S+)' exists; cannot create", fault.found)
        if in_the_way:
            mend = f"git branch -m {in_the_way[1]} <another name>"
            raise MachineError(fault.where, fault.found, mend=mend) from None
        if not any(sign in fault.found for sign in BUSY):
            raise
        return fault.found
    return ""


def _too_busy(said: str) -> RegistryError:
    lock = re.search(r"'(\S+\.lock)': File exists", said)
    mend = f"where no git command runs any more: rm {lock[1]}" if lock else "the same command"
    return RegistryError(BRANCH, f"busy for {PATIENCE_S:.0f} s: {said.splitlines()[0]}", mend=mend)


def _parsed(commit: str, who: str, clock: float, body: str) -> Entry:
    try:
        content = json.loads(body.partition("\n\n")[2])
        kind, moment, facts = str(content["kind"]), float(content["time"]), content["facts"]
    except (ValueError, KeyError, TypeError):
        moment = math.nan
    if not math.isfinite(moment) or not isinstance(facts, dict):
        return Entry(commit, who, clock, UNREADABLE, {"text": body.strip()})
    return Entry(commit, who, moment, kind, facts)


def _in_order(found: Mapping[str, Entry], parents: Mapping[str, list[str]]) -> list[Entry]:
    """Sort so that parents come first and, where git leaves it open, the earlier; the same everywhere."""
    waiting = {commit: len(before) for commit, before in parents.items()}
    children: dict[str, list[str]] = {}
    for commit, before in parents.items():
        for each in before:
            children.setdefault(each, []).append(commit)
    ready = [(found[commit].time, commit) for commit, count in waiting.items() if count == 0]
    heapq.heapify(ready)
    ordered = []
    while ready:
        _, commit = heapq.heappop(ready)
        ordered.append(found[commit])
        for child in children.get(commit, ()):
            waiting[child] -= 1
            if waiting[child] == 0:
                heapq.heappush(ready, (found[child].time, child))
    return ordered
