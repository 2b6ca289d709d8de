"""Git as a person would call it; the one place that starts it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from assay.errors import MachineError

AT_ONCE = 100  # objects that lie in memory together; a lock has some 150 KB
# What a person may have set for reading logs would change what is read here.
PLAIN = (
    "i18n.commitEncoding=UTF-8", "i18n.logOutputEncoding=UTF-8", "log.showSignature=false",
    "color.ui=false",
)  # fmt: skip


def git(root: Path, *arguments: str) -> str:
    """Return what git printed, without the last newline; empty where it failed."""
    done = _run(root, arguments)
    return done.stdout.rstrip("\n") if done.returncode == 0 else ""


def must_git(root: Path, *arguments: str, given: str | None = None) -> str:
    """Return what git printed, fed with `given`.

    Raises:
        MachineError: git refused; its own words are kept.
    """
    done = _run(root, arguments, given)
    if done.returncode != 0:
        said = done.stderr.strip() or f"status {done.returncode}"
        raise MachineError(f"git {arguments[0]}", said, mend=_mend(said))
    return done.stdout.rstrip("\n")


def objects_of(root: Path, names: Sequence[str]) -> list[str]:
    """Return the id of what each name means (`<commit>:dvc.lock`), by one process; empty where nothing.

    Raises:
        MachineError: git refused.
    """
    asked = "".join(f"{name}\n" for name in names)
    answers = must_git(root, "cat-file", "--batch-check=%(objectname)", given=asked)
    return [
        "" if line.endswith((" missing", " ambiguous")) else line for line in answers.splitlines()
    ]


def contents(root: Path, objects: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield id and content of each object, by a process for every hundred; absent ones are left out."""
    for first in range(0, len(objects), AT_ONCE):
        asked = "".join(f"{each}\n" for each in objects[first : first + AT_ONCE])
        answer = subprocess.run(
            ["git", "-C", str(root), "cat-file", "--batch"],
            capture_output=True, check=False, input=asked.encode(),
        ).stdout  # fmt: skip
        place = 0
        while place < len(answer):
            ends = answer.index(b"\n", place)
            name, *kind = answer[place:ends].decode().split(" ")
            size = (
                int(kind[1]) if len(kind) == 2 else -1
            )  # an absent one has neither content nor end
            if size >= 0:
                yield name, answer[ends + 1 : ends + 1 + size]
            place = ends + 1 + size + 1


def _run(
    root: Path, arguments: tuple[str, ...], given: str | None = None
) -> subprocess.CompletedProcess[str]:
    plain = [word for setting in PLAIN for word in ("-c", setting)]
    # Git's messages are matched against, so they come in one language whatever the person's is; its
    # text is UTF-8, or whatever somebody committed.
    return subprocess.run(
        ["git", "-C", str(root), *plain, *arguments],
        capture_output=True, encoding="utf-8", errors="replace", check=False, input=given,
        # A status that refreshes the index locks it, and DVC beside it could not stage what it wrote.
        env={**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"},
        # Killed with us while it moves a ref, git would leave its lock, and stop whoever comes next.
        start_new_session=arguments[0] == "update-ref",
    )  # fmt: skip


def _mend(said: str) -> str:
    if "user.email" in said or "identity" in said:
        return "git config user.name '…' && git config user.email '…'"
    return ""
