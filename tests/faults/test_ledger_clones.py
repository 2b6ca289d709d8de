"""The ledger between clones: seen, joined, shared; nobody's entry is overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.faults.test_ledger import git, note, notes, repository, signed

from assay.errors import AssayError
from assay.registry import ledger
from assay.registry.ledger import BRANCH, JOIN, REF, append, entries
from assay.registry.sharing import share_ledger
from assay.registry.versions import (
    CANDIDATE,
    PROMOTION,
    ROLLBACK,
    Aliases,
    current_aliases,
    versions,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return repository(tmp_path / "here")


@pytest.fixture
def clones(root: Path, tmp_path: Path) -> tuple[Path, Path, Path]:
    """Return a bare repository that holds one entry, and two clones of it."""
    note(root, "old")
    git(tmp_path, "clone", "-q", "--bare", str(root), str(tmp_path / "hub.git"))
    for name in ("a", "b"):
        git(tmp_path, "clone", "-q", str(tmp_path / "hub.git"), str(tmp_path / name))
        signed(tmp_path / name)
    return tmp_path / "hub.git", tmp_path / "a", tmp_path / "b"


def test_a_clone_sees_the_ledger_and_its_first_entry_joins(clones: tuple[Path, ...]) -> None:
    _, clone, _ = clones
    assert not git(clone, "branch", "--list", BRANCH)
    assert notes(clone) == ["old"]
    new = note(clone, "new")
    assert notes(clone) == ["old", "new"]
    assert git(clone, "rev-parse", f"{new.commit}^") == git(clone, "rev-parse", f"origin/{BRANCH}")
    assert not ledger.is_cut(clone)


def test_two_clones_that_wrote_apart_are_joined_and_agree(clones: tuple[Path, ...]) -> None:
    hub, a, b = clones
    said = [(clone, f"{clone.name}{number}") for number in range(3) for clone in (a, b)]
    for clone, text in said:
        note(clone, text)
    share_ledger(a, "origin")
    theirs = git(hub, "rev-parse", REF)
    share_ledger(b, "origin")
    git(hub, "merge-base", "--is-ancestor", theirs, REF)  # forced would have left it behind
    share_ledger(a, "origin")
    expected = ["old", *(text for _, text in said)]
    assert [notes(place) for place in (a, b, hub)] == [expected] * 3
    assert entries(a) == entries(b)
    tip = git(hub, "rev-parse", REF)
    for clone in (a, b):
        share_ledger(clone, "origin")  # and once more: nothing to do
    assert git(hub, "rev-parse", REF) == tip
    joins = [line for line in git(hub, "log", "--format=%s%n%b", REF).splitlines() if JOIN in line]
    assert len(joins) == 2  # subject and body of one


def test_a_push_between_our_fetch_and_our_push_is_joined(clones: tuple[Path, ...]) -> None:
    hub, a, b = clones
    note(a, "from a")
    note(b, "from b")
    ran = hub.with_name("ran")
    hook = a / ".git/hooks/pre-push"
    hook.write_text(
        f"#!/bin/sh\n[ -e {ran} ] && exit 0\ntouch {ran}\nunset $(git rev-parse --local-env-vars)\n"
        f"git -C {b} push -q origin {REF}:{REF}\n"
    )
    hook.chmod(0o755)
    share_ledger(a, "origin")
    assert ran.exists()
    assert sorted(notes(hub)) == sorted(notes(a)) == ["from a", "from b", "old"]


def test_a_remote_that_was_cut_back_gets_its_entries_again(clones: tuple[Path, ...]) -> None:
    """The remote's branch as last fetched is all that a clone without its own has."""
    hub, a, b = clones
    note(b, "from b")
    share_ledger(b, "origin")
    git(a, "fetch", "-q")
    git(hub, "update-ref", REF, f"{REF}~1")
    share_ledger(a, "origin")
    assert notes(a) == notes(hub) == ["old", "from b"]


def test_a_remote_that_is_not_there_is_told(clones: tuple[Path, ...]) -> None:
    with pytest.raises(AssayError, match="'nowhere' does not appear to be a git repository"):
        share_ledger(clones[1], "nowhere")


def test_the_first_ledger_is_shared_and_none_is_none(root: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "hub.git")
    git(root, "remote", "add", "origin", str(tmp_path / "hub.git"))
    assert share_ledger(root, "origin") == "nothing to share yet"
    note(root, "one")
    share_ledger(root, "origin")
    assert notes(tmp_path / "hub.git") == ["one"]


def register(root: Path, number: int, result: str) -> None:
    facts = {"task": "t", "version": number, "result": result, "files": {"w": "1"}, "commit": "c"}
    append(root, CANDIDATE, f"candidate t/v{number}", facts)


def promote(root: Path, number: int, result: str) -> None:
    facts = {"task": "t", "version": number, "result": result, "tag": "t/v1", "commit": "c"}
    append(root, PROMOTION, f"promotion t/v{number}", facts)


def test_two_clones_that_used_one_number_do_not_promote_each_others_model(
    clones: tuple[Path, ...],
) -> None:
    """Both called another model v2, and promoted it: the first v2 has only its own promotion."""
    _, a, b = clones
    register(a, 1, "first")
    promote(a, 1, "first")
    share_ledger(a, "origin")
    share_ledger(b, "origin")
    register(a, 2, "of a")
    register(b, 2, "of b")
    promote(b, 2, "of b")
    assert current_aliases(b, "t").champion == 2
    share_ledger(b, "origin")
    share_ledger(a, "origin")
    share_ledger(b, "origin")
    for clone in (a, b):
        assert [version.result for version in versions(clone, "t")] == ["first", "of a"]
        assert current_aliases(clone, "t") == Aliases(champion=1, candidate=2)
        assert len(entries(clone)) == 6  # nothing is lost, all the same


def test_an_entry_that_is_not_whole_stops_nobody(root: Path) -> None:
    register(root, 1, "first")
    for kind in (CANDIDATE, PROMOTION, ROLLBACK):
        append(root, kind, "by hand", {"task": "t"})
        append(root, kind, "by hand", {"task": "t", "version": "two", "result": None, "from": []})
    assert current_aliases(root, "t") == Aliases(candidate=1)
    assert len(entries(root)) == 7
