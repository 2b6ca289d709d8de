"""The ledger under fire: many writers, kills, switches, collections, clones, odd settings."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.conftest import ROOT, environment

from assay.errors import AssayError
from assay.registry import ledger
from assay.registry.ledger import BRANCH, REF, UNREADABLE, WITNESS, Entry, append, entries

WRITERS, EACH = 8, 60
WRITER = """
import sys
from pathlib import Path
from assay.registry.ledger import append
root, writer, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
for number in range(count):
    append(root, "note", f"{writer} · {number}", {"writer": writer, "number": number})
"""


def git(root: Path, *arguments: str, fails: bool = False) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], text=True, check=False, env=environment(),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert (done.returncode != 0) == fails, done.stdout
    return done.stdout.strip()


def repository(folder: Path) -> Path:
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "file").write_text("content\n")
    return signed(folder)


def signed(folder: Path) -> Path:
    """Give the repository a person and, where it has none, a commit."""
    git(folder, "config", "user.name", "Ada")
    git(folder, "config", "user.email", "ada@example.org")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "State")
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return repository(tmp_path / "here")


def start(root: Path, writer: int, count: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(root), str(writer), str(count)],
        env=environment(PYTHONPATH=str(ROOT / "src")), start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def note(root: Path, text: str) -> Entry:
    return append(root, "note", text, {"text": text})


def notes(root: Path) -> list[str]:
    return [str(entry.facts["text"]) for entry in entries(root)]


def watch(root: Path, writers: list[subprocess.Popen[bytes]]) -> None:
    """Ask while others write: a reader must see neither a gap nor a cut."""
    seen = 0
    while any(writer.poll() is None for writer in writers):
        assert not ledger.is_cut(root)
        count = len(entries(root))
        assert count >= seen, "entries that were there are gone"
        seen = count
        time.sleep(0.1)


def test_eight_writers_lose_nothing_and_touch_nothing(root: Path) -> None:
    writers = [start(root, number, EACH) for number in range(WRITERS)]
    watch(root, writers)
    for writer in writers:
        said, _ = writer.communicate()
        assert writer.returncode == 0, said.decode()
    found = entries(root)
    for number in range(WRITERS):
        own = [entry.facts["number"] for entry in found if entry.facts["writer"] == number]
        assert own == list(range(EACH))
    assert len(found) == WRITERS * EACH
    # One line of commits: the branch alone holds them, each after the one before it.
    assert git(root, "rev-list", "--count", "--max-parents=1", BRANCH) == str(WRITERS * EACH)
    assert git(root, "rev-list", "--reverse", BRANCH).split() == [each.commit for each in found]
    assert not git(root, "status", "--porcelain")
    assert git(root, "log", "--format=%s", "main") == "State"
    _outlives_collection_and_clone(root, found)


def _outlives_collection_and_clone(root: Path, found: list[Entry]) -> None:
    git(root, "reflog", "expire", "--expire=now", "--all")
    git(root, "gc", "-q", "--prune=now", "--aggressive")
    assert entries(root) == found
    git(root, "branch", "-D", BRANCH)  # the witness alone keeps them
    git(root, "gc", "-q", "--prune=now")
    assert entries(root) == found
    assert ledger.is_cut(root) == found[-1].commit
    clone = root.with_name("bare")
    append(root, "note", "after", {"writer": -1, "number": 0})
    git(root.parent, "clone", "-q", "--bare", str(root), str(clone))
    assert entries(clone)[:-1] == found
    assert not ledger.is_cut(root)


@pytest.mark.parametrize("head", ["other", BRANCH])
def test_the_work_tree_stays_clean_wherever_head_is(root: Path, head: str) -> None:
    note(root, "one")
    git(root, "branch", "other")
    git(root, "checkout", "-q", head)
    note(root, "two")
    assert not git(root, "status", "--porcelain")
    # Somebody else's commit on the branch, with a file: it stays, in history and in the folder.
    (root / "own").write_text("mine\n")
    git(root, "add", "own")
    git(root, "commit", "-q", "-m", "Mine")
    note(root, "three")
    assert not git(root, "status", "--porcelain")
    git(root, "checkout", "-q", "main")
    assert [entry.facts["text"] for entry in entries(root) if entry.kind == "note"] == [
        "one",
        "two",
        "three",
    ]


def test_switches_resets_and_stashes_roll_nothing_back(root: Path) -> None:
    start_of = git(root, "rev-parse", "HEAD")
    for number in range(3):
        note(root, str(number))
        git(root, "checkout", "-q", "-B", f"try{number}")
        (root / "file").write_text(f"{number}\n")
        git(root, "commit", "-q", "-a", "-m", f"Try {number}")
    (root / "file").write_text("half done\n")
    git(root, "stash", "-q")
    note(root, "3")
    git(root, "checkout", "-q", "try1")
    git(root, "checkout", "-q", "try2")
    git(root, "stash", "pop", "-q")
    note(root, "4")
    assert git(root, "status", "--porcelain") == "M file"
    git(root, "reset", "-q", "--hard", start_of)
    git(root, "clean", "-q", "-fdx")
    assert notes(root) == ["0", "1", "2", "3", "4"]


def test_a_worktree_writes_the_same_ledger(root: Path, tmp_path: Path) -> None:
    note(root, "here")
    git(root, "worktree", "add", "-q", str(tmp_path / "there"), "-b", "there")
    note(tmp_path / "there", "there")
    assert notes(root) == notes(tmp_path / "there") == ["here", "there"]


def test_a_cut_branch_loses_nothing_and_is_noticed(root: Path) -> None:
    for text in ("one", "two", "three"):
        note(root, text)
    last = git(root, "rev-parse", BRANCH)
    assert not ledger.is_cut(root)
    git(root, "branch", "-q", "-f", BRANCH, f"{BRANCH}~2")
    assert ledger.is_cut(root) == last
    assert notes(root) == ["one", "two", "three"]
    note(root, "four")
    assert notes(root) == ["one", "two", "three", "four"]
    assert not ledger.is_cut(root)


def test_a_lost_commit_is_told_and_is_no_empty_ledger(root: Path) -> None:
    """An unreadable chain must not look like a ledger without looks."""
    first = note(root, "one")
    note(root, "two")
    (root / ".git/objects" / first.commit[:2] / first.commit[2:]).unlink()
    with pytest.raises(AssayError, match=first.commit[:7]):
        entries(root)


# --- what goes wrong


def test_without_an_identity_the_way_out_is_told(root: Path) -> None:
    for key in ("user.name", "user.email"):
        git(root, "config", "--unset", key)
    git(root, "config", "user.useConfigOnly", "true")
    done = subprocess.run(
        [sys.executable, "-c", WRITER, str(root), "0", "1"], check=False, capture_output=True,
        text=True, env=environment(
            PYTHONPATH=str(ROOT / "src"), GIT_CONFIG_GLOBAL="/dev/null", HOME=str(root),
            LANGUAGE="de", LC_ALL="C.UTF-8",
        ),
    )  # fmt: skip
    assert done.returncode != 0
    assert "mend: git config user.name '…' && git config user.email '…'" in done.stderr
    assert entries(root) == []


def test_a_stale_lock_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note(root, "one")
    monkeypatch.setattr(ledger, "PATIENCE_S", 0.3)
    lock = root / ".git" / f"{REF}.lock"
    lock.touch()
    with pytest.raises(AssayError) as caught:
        note(root, "two")
    assert f"rm {lock}" in caught.value.mend
    lock.unlink()
    note(root, "three")
    assert notes(root) == ["one", "three"]


def test_a_branch_in_the_way_is_told_at_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(root, "branch", "assay")
    monkeypatch.setattr(ledger.time, "sleep", None)  # whoever waits for it to go is a TypeError
    with pytest.raises(AssayError) as caught:
        note(root, "one")
    assert "'refs/heads/assay' exists" in caught.value.found
    assert "git branch -m assay" in caught.value.mend
    git(root, "branch", "-m", "assay", "mine")
    note(root, "two")
    assert notes(root) == ["two"]


@pytest.mark.kill
def test_killed_writers_leave_a_whole_ledger(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(os.environ.get("ASSAY_KILL_SEED", "1"))
    writers = [start(root, number, 10_000) for number in range(3)]
    for writer in writers:
        time.sleep(chance.uniform(0.5, 1.0))
        os.killpg(writer.pid, signal.SIGKILL)
        writer.communicate()
    time.sleep(1)  # a git that was moving the branch brings it to its end
    found = entries(root)
    assert found
    for number in range(3):
        own = [entry.facts["number"] for entry in found if entry.facts["writer"] == number]
        assert own == list(range(len(own)))
    assert not ledger.is_cut(root)
    assert git(root, "fsck", "--no-dangling", "--no-progress") == ""
    monkeypatch.setattr(ledger, "PATIENCE_S", 1)  # no lock is left
    last = append(root, "note", "after", {"writer": -1})
    assert entries(root) == [*found, last]


def test_a_transaction_cut_in_half_is_no_cut_branch(root: Path) -> None:
    """Git moves two refs one after the other: killed between, the branch must be the one that moved."""
    note(root, "one")
    before = git(root, "rev-parse", WITNESS)
    order = root / ".git/hooks/reference-transaction"
    order.write_text(f"#!/bin/sh\n[ $1 = prepared ] && cat >> {root}/../order\nexit 0\n")
    order.chmod(0o755)
    note(root, "two")
    moved = [line.split()[2] for line in (root.parent / "order").read_text().splitlines()]
    assert moved == [REF, WITNESS]
    git(root, "update-ref", WITNESS, before)
    assert not ledger.is_cut(root)
    assert notes(root) == ["one", "two"]


def test_foreign_commits_are_shown_and_lose_nothing(root: Path) -> None:
    """Somebody commits to the branch by hand: words, bytes that are no UTF-8, JSON of another kind."""
    note(root, "one")
    for text in (
        b"Fix typo",
        b"caf\xe9 \xff",
        b'x\n\n{"kind": 3}',
        b"y\n\n[1, 2]",
        b"",
        b'z\n\n{"kind": "candidate", "time": 1, "facts": 7}',
        b'z\n\n{"kind": "look", "time": "now", "facts": {}}',
        b'z\n\n{"kind": "look", "time": NaN, "facts": {}}',
    ):
        made = subprocess.run(
            ["git", "-C", str(root), "commit-tree", "-p", BRANCH, f"{BRANCH}^{{tree}}"],
            input=text, capture_output=True, check=True,
        ).stdout.decode().strip()  # fmt: skip
        git(root, "update-ref", REF, made)
    note(root, "two")
    kinds = [entry.kind for entry in entries(root)]
    assert kinds == ["note", *[UNREADABLE] * 8, "note"]
    assert entries(root)[1].facts["text"] == "Fix typo"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("log.showSignature", "true"),
        ("core.pager", "false"),
        ("color.ui", "always"),
        ("i18n.logOutputEncoding", "ISO-8859-1"),
        ("i18n.commitEncoding", "ISO-8859-1"),
        ("log.mailmap", "true"),
        ("log.date", "relative"),
        ("format.pretty", "oneline"),
        ("gpg.program", "false"),
        ("commit.gpgSign", "true"),
        ("core.logAllRefUpdates", "false"),
    ],
)
def test_a_persons_settings_change_nothing(root: Path, key: str, value: str) -> None:
    git(root, "config", "user.name", "Jürgen 김")
    first = note(root, "eins · 하나 · é")
    _signed_by_hand(root)
    git(root, "config", key, value)
    second = note(root, "zwei → 둘")
    git(root, "config", "--unset", key)
    found = entries(root)
    git(root, "config", key, value)
    assert entries(root) == found
    assert [found[0], found[2]] == [first, second]
    assert second.who == "Jürgen 김 <ada@example.org>"
    assert second.facts == {"text": "zwei → 둘"}
    assert json.loads(git(root, "log", "-1", "--format=%b", "--encoding=UTF-8", BRANCH))["facts"]


def _signed_by_hand(root: Path) -> None:
    """Put a commit that carries a (worthless) signature on the branch: git would talk about it."""
    tip = git(root, "rev-parse", BRANCH)
    headers = git(root, "cat-file", "commit", BRANCH).partition("\n\n")[0].splitlines()
    signature = [
        "gpgsig -----BEGIN PGP SIGNATURE-----",
        " ",
        " none",
        " -----END PGP SIGNATURE-----",
    ]
    lines = [headers[0], f"parent {tip}", *headers[1:], *signature, "", "By hand", ""]
    made = subprocess.run(
        ["git", "-C", str(root), "hash-object", "-t", "commit", "-w", "--stdin"],
        input="\n".join(lines).encode(), capture_output=True, check=True,
    ).stdout.decode().strip()  # fmt: skip
    git(root, "update-ref", REF, made)
