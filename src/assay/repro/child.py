"""One branch at work: a real `dvc repro` of its stages in a process of its own, its output in a file."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from assay.runs.places import BRANCHES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from assay.repro.branches import Branch

BEGINS = re.compile(r"^Running stage '(.+)':$")
PASSED = re.compile(r"^Stage '(.+)' (?:didn't change, skipping|is cached - skipping run, .*)$")
SHOWN = 60  # lines at most of a failed stage's output


class Child:
    """A branch that runs.

    The process dies with this one, and has a session of its own: Ctrl-C reaches it through `stop` alone,
    so that all branches end in the same way. `--wait-for-lock`: without it a stage that ends while
    another branch commits for more than 3 s is lost.
    """

    def __init__(self, branch: Branch, root: Path, environment: Mapping[str, str]) -> None:
        self.branch = branch
        self.path = root / BRANCHES / f"{branch.stages[-1].replace(os.sep, '-')}.log"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.begun = self.said = ""  # the stage that runs, and the last line that was printed
        self.over: list[str] = []  # stages that have ended well
        self._read, self._rest = 0, b""
        with self.path.open("wb") as stream:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "assay.repro", str(os.getpid()),
                 "--wait-for-lock", "repro", "-s", *branch.stages],
                cwd=root, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **environment}, start_new_session=True,
            )  # fmt: skip

    @property
    def stage(self) -> str:
        """Return the stage at work, or else the next one."""
        stages = self.branch.stages
        return self.begun or stages[min(len(self.over), len(stages) - 1)]

    def poll(self) -> int | None:
        """Read what was printed since, and return the status of the process once it has ended."""
        status = self._process.poll()
        with self.path.open("rb") as stream:
            stream.seek(self._read)
            fresh = stream.read()
        self._read += len(fresh)
        *lines, self._rest = (self._rest + fresh).split(b"\n")
        for line in lines:
            self._heed(line.decode("utf-8", "replace").rpartition("\r")[2].rstrip())
        if status == 0:
            self.over = list(self.branch.stages)
        return status

    def _heed(self, line: str) -> None:
        begins, passed = BEGINS.match(line), PASSED.match(line)
        if (begins or passed) and self.begun:
            self.over.append(self.begun)
            self.begun = ""
        if begins:
            self.begun, self.said = begins[1], ""
        elif passed:
            self.over.append(passed[1])
        elif line:
            self.said = line

    def stop(self, patience: float) -> None:
        """Interrupt it, and kill it where it does not end within so many seconds."""
        for how, wait in ((signal.SIGINT, patience), (signal.SIGKILL, None)):
            if self._process.poll() is not None:
                return
            os.killpg(self._process.pid, how)
            try:
                self._process.wait(wait)
            except subprocess.TimeoutExpired:
                continue

    def end(self) -> str:
        """Return how a branch ended that did not end well."""
        status = self._process.returncode
        return f"was killed by {signal.Signals(-status).name}" if status < 0 else "failed"

    def last_words(self) -> str:
        """Return what the stage that failed has printed, its end where that is long."""
        lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        start = max((n for n, line in enumerate(lines) if BEGINS.match(line)), default=0)
        return "\n".join(lines[start:][-SHOWN:])
