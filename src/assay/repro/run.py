"""Branches side by side: each started when what it needs is there, so many at a time."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from assay.errors import AssayError
from assay.repro.board import Board
from assay.repro.child import Child
from assay.repro.forked import fork_servers
from assay.runs.places import BRANCHES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from assay.repro.branches import Branch
    from assay.repro.plan import ReproPlan

TICK = 0.2  # s between two looks at the branches
PATIENCE = 10.0  # s that an interrupted branch has to end by itself


@dataclass
class _Work:
    """Branches by their place in the plan: which wait, which run, which are done, which failed."""

    waiting: dict[int, Branch]
    running: dict[int, Child] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)
    failed: list[Child] = field(default_factory=list)

    def next(self) -> int | None:
        """Return the branch to start: of those that can, the one that most stages wait for."""
        able = [number for number, branch in self.waiting.items() if branch.needs <= self.done]
        return min(able, key=lambda number: (-self.waiting[number].rank, number), default=None)


def run_plan(plan: ReproPlan, root: Path, jobs: int, keep_going: bool, console: Console) -> None:
    """Run the branches of a plan, at most `jobs` at a time; print a line for each stage that ends.

    After a failure no other branch is started; with `keep_going` those that do not depend on it are.
    Those that run come to their end either way.

    Raises:
        AssayError: what failed, after the output of the stage that was first.
    """
    work = _Work(dict(enumerate(plan.branches)))
    stages = sum(len(branch.stages) for branch in plan.branches)
    if not stages:
        console.print(
            f"nothing changed: {len(plan.stages)} stages are as they were", soft_wrap=True
        )
        return
    console.print(
        f"{stages} of {len(plan.stages)} stages may have to run, in {len(plan.branches)} branches, "
        f"{jobs} at a time · what they print: {BRANCHES}/*.log", soft_wrap=True,
    )  # fmt: skip
    with fork_servers(root) as environment, Board(console, stages) as board:
        start = partial(Child, root=root, environment=environment)
        try:
            while _start(work, start, jobs, keep_going):
                time.sleep(TICK)
                statuses = {number: child.poll() for number, child in work.running.items()}
                board.show(work.running)
                _collect(work, statuses)
                board.show(work.running)
        finally:
            for child in work.running.values():
                child.stop(PATIENCE)
    if work.failed:
        raise _failure(work, console)


def _start(work: _Work, start: Callable[[Branch], Child], jobs: int, keep_going: bool) -> bool:
    """Start what can be started; return whether anything runs."""
    while len(work.running) < jobs and (keep_going or not work.failed):
        number = work.next()
        if number is None:
            break
        work.running[number] = start(work.waiting.pop(number))
    return bool(work.running)


def _collect(work: _Work, statuses: Mapping[int, int | None]) -> None:
    """Take the branches that have ended from those that run."""
    for number, status in statuses.items():
        if status == 0:
            work.done.add(number)
        elif status is not None:
            work.failed.append(work.running[number])
        if status is not None:
            del work.running[number]


def _failure(work: _Work, console: Console) -> AssayError:
    """Print what the first failed stage has said; return the whole of it as one fault."""
    first = work.failed[0]
    console.print(f"\n{first.path}:\n{first.last_words()}\n", soft_wrap=True)
    names = [child.stage for child in work.failed]
    left = [name for branch in work.waiting.values() for name in branch.stages]
    left += [
        name for child, failed in zip(work.failed, names, strict=True)
        for name in child.branch.stages if name not in {*child.over, failed}
    ]  # fmt: skip
    others = f"; failed as well: {', '.join(names[1:])}" if names[1:] else ""
    skipped = f"; not run: {', '.join(left)}" if left else ""
    return AssayError(
        names[0], f"{first.end()}{others}{skipped}", "the stage's own output stands above",
        "as it says; then the same command: what has ended is not run again",
    )  # fmt: skip
