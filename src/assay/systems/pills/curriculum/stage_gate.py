"""The stage gate of the curriculum: a stage passes on its photographs, its accuracy and its latency.

Judged are the results of this checkout, on validation rows; the sealed test set has no part in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import AssayError
from assay.systems.pills.data.curriculum import STAGES
from assay.systems.pills.data.verdicts import COMMAND, PLACE, add_verdict, last, read_verdicts

if TYPE_CHECKING:
    from assay.contract.checks import Check
    from assay.systems.pills.data.curriculum import Goal
    from assay.systems.pills.data.verdicts import Entry


class StageGate:
    """A curriculum of the command; see `commands/curriculum`."""

    data = "pills"
    place = PLACE

    def lines(self, root: Path) -> list[str]:
        """Return a line a stage: its goal, its last verdict; and what may be done next."""
        verdicts = read_verdicts(root)
        told, following = [], ""
        for stage, goal in STAGES.items():
            verdict = last(verdicts, stage)
            said = verdict.told() if verdict else "no verdict"
            told.append(f"{stage}  {_goal(goal)}  {said}")
            if verdict and verdict.override is not None:
                told.append(f"   overridden: {verdict.override}")
            if not following and not (verdict and verdict.opens):
                following = f"next: stage {stage} · " + _next(stage, verdict)
        return [*told, following or "every stage is done"]

    def judge(self, root: Path) -> tuple[int, Sequence[Check], bool]:
        """Judge what lies in the checkout, and keep the verdict unless the same stands there already.

        Raises:
            AssayError: the results are stale, of no stage, or in no commit; nothing is kept.
        """
        from assay.systems.pills.curriculum.judging import judged

        entry, checks = judged(root)
        before = last(read_verdicts(root), entry.stage)
        is_new = before is None or _same(before) != _same(entry)
        if is_new:
            add_verdict(root, entry)
        return entry.stage, checks, is_new

    def override(self, root: Path, stage: int, reason: str) -> None:
        """Keep why a failed stage counts as passed.

        Raises:
            AssayError: there is no reason, or nothing to override.
        """
        where = f"--override {stage}"
        if stage not in STAGES:
            raise AssayError(where, "no such stage", f"one of {', '.join(map(str, STAGES))}")
        if not reason.strip():
            raise AssayError(where, "no reason", "--reason '…'", f"{COMMAND} {where} --reason '…'")
        verdict = last(read_verdicts(root), stage)
        if verdict is None:
            raise AssayError(where, f"stage {stage} has no verdict", "one", f"{COMMAND} --judge")
        if verdict.opens:
            said = "passed" if verdict.passed else f"is overridden already: {verdict.override}"
            raise AssayError(where, f"stage {stage} {said}", "a stage that failed")
        told = verdict.model_dump() | {"override": reason.strip()}
        add_verdict(root, type(verdict).model_validate(told))


def _goal(goal: Goal) -> str:
    limit = f" · p95 ≤ {goal.latency_ms:.0f} ms" if goal.latency_ms is not None else ""
    return f"{goal.images:>7,} photographs · {goal.classes:>5,} drugs · top1 ≥ {goal.accuracy}{limit:15}"


def _next(stage: int, verdict: Entry | None) -> str:
    train = f"dvc exp run -S pills.ingest.stage={stage}, then {COMMAND} --judge"
    return train if verdict is None else f"{train}, or {COMMAND} --override {stage} --reason '…'"


def _same(entry: Entry) -> str:
    """Return what a verdict says, whichever commit says it, overridden or not."""
    return entry.model_copy(update={"override": None, "commit": ""}).model_dump_json()


PILLS = StageGate()
