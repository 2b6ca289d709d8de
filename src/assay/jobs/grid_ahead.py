"""Trainings of a grid ahead of its stage, which then only collects: all, a range, an epoch of each."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import AssayError
from assay.jobs.grid import jobs_by_name, run_trainings, train_all
from assay.jobs.store import JobStore
from assay.manifest.layout import Layout
from assay.manifest.parts import read_trainval
from assay.manifest.table import read_table
from assay.runs.files import read_json
from assay.runs.lock import held
from assay.runs.places import REHEARSALS, named_lock
from assay.runs.record import RECORD, VERDICT, smaller_batches

if TYPE_CHECKING:
    from assay.contract.grid import Sections, SupportsGrid
    from assay.sections.machine import Runtime

SHOWN = 3  # names that one reason is told of


@dataclass(frozen=True)
class GridPart:
    """Configurations of a grid whose trainings are wanted; the working folder is the repository's root.

    Attributes:
        task: the grid's.
        root: the repository.
        sections: configuration → its own.
        inputs: path → digest of what the stage `train` reads.
        runtime: what changes no byte.
    """

    task: SupportsGrid
    root: Path
    sections: Sections
    inputs: Mapping[str, str]
    runtime: Runtime

    @property
    def name(self) -> str:
        """Return the task's name."""
        return self.task.member.name

    def train(self) -> int:
        """Have the very jobs done that the stage has, on every fold; return how many there are.

        Raises:
            GateError: the preflight refused.
            AssayError: some failed; the others stay.
        """
        _, facts = read_table(
            Layout(self.task.member.data).trainval, f"split@{self.task.member.data}"
        )
        trainings = jobs_by_name(self.task, self.sections, self.inputs, range(facts["folds"]))
        store = JobStore(self.root)
        left = [name for (name, _), job in trainings.items() if store.result(job) is None]
        if left:
            self._make_ready({name: self.sections[name] for name in left})
        train_all(self.task, trainings, store, self.runtime)
        return len(trainings)

    def _make_ready(self, sections: Sections) -> None:
        rows, _ = read_trainval(self.task.member.data)
        self.task.judge(rows, sections, self.root / REHEARSALS / self.name / VERDICT)
        self.task.prepare(rows, sections)

    def rehearse(self) -> list[str]:
        """Train each configuration for one epoch of its first fold; keep nothing of it.

        With the declared batch, views and augmentation, so that what memory, files or augmentation
        refuse is told before the long trainings. What backbones say of stored views is kept.

        Returns:
            lines on what memory did not hold as declared.

        Raises:
            AssayError: some failed, with the reasons; all were tried.
        """
        folder = self.root / REHEARSALS / self.name
        with held(named_lock(self.root, f"fast-dev-{self.name}"), "another runs here; waiting"):
            shutil.rmtree(folder, ignore_errors=True)
            try:
                return self._rehearsed(JobStore(folder))
            finally:
                shutil.rmtree(folder / JobStore(folder).place, ignore_errors=True)

    def _rehearsed(self, store: JobStore) -> list[str]:
        sections = {name: self.task.one_epoch(own) for name, own in self.sections.items()}
        reasons: dict[str, list[str]] = {}
        rows, _ = read_trainval(self.task.member.data)
        try:
            self.task.judge(rows, sections, store.root / VERDICT)
        except AssayError as fault:
            reasons[_said(fault)] = ["preflight"]
        trainings = jobs_by_name(self.task, sections, self.inputs, [0])
        outcomes = run_trainings(self.task, trainings, store, self.runtime, tries=1)
        for (name, _), outcome in outcomes.items():
            if outcome.fault is not None:
                reasons.setdefault(_said(outcome.fault), []).append(name)
        if reasons:
            failed = sum(outcome.fault is not None for outcome in outcomes.values())
            raise AssayError(
                f"assay grid {self.name} --fast-dev",
                f"{failed} of {len(outcomes)} configurations failed\n{_listed(reasons)}",
                mend=f"what each says; then again: assay grid {self.name} --fast-dev",
            )
        told = {
            name: smaller_batches(read_json(outcome.folder / RECORD))
            for (name, _), outcome in outcomes.items() if outcome.folder is not None
        }  # fmt: skip
        return [f"{name}: {line}" for name, line in told.items() if line]


def narrowed(
    task: SupportsGrid, section: Mapping[str, Any], start: int, end: int | None, phase: int | None
) -> dict[str, Mapping[str, Any]]:
    """Return the configurations of the pairs `[start, end)` of a grid, all of them or one phase's.

    Args:
        task: the grid's.
        section: its own.
        start: number of the first pair.
        end: number of the first that is not wanted; None: none is left out.
        phase: whose alone; None: all.

    Raises:
        AssayError: there is no such pair, or no such phase.
    """
    places = task.places(section)
    pairs = 1 + max(each.pair for each in places.values())
    phases = sorted({each.phase for each in places.values()})
    where = f"assay grid {task.member.name}"
    if not 0 <= start < (pairs if end is None else end) <= pairs:
        asked = f"--start {start}" + ("" if end is None else f" --end {end}")
        raise AssayError(
            f"{where} {asked}", f"no such pairs of {pairs}",
            f"0 ≤ start < end ≤ {pairs}: pairs are counted from 0, and the end is the first left out",
            f"{where} --start 0 --end {pairs}",
        )  # fmt: skip
    if phase not in (None, *phases):
        raise AssayError(
            f"{where} --phase {phase}", f"the grid has no phase {phase}",
            f"of {task.member.name}.model.phases: {', '.join(map(str, phases))}",
        )  # fmt: skip
    sections = task.configurations(section)
    return {
        name: sections[name] for name, each in places.items()
        if start <= each.pair < (pairs if end is None else end) and phase in (None, each.phase)
    }  # fmt: skip


def _said(fault: Exception) -> str:
    return fault.render() if isinstance(fault, AssayError) else f"{type(fault).__name__}: {fault}"


def _listed(reasons: Mapping[str, list[str]]) -> str:
    """Return each reason once, below the names that it is told of."""
    lines = []
    for reason, names in reasons.items():
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        lines.append(f"  {', '.join(names[:SHOWN])}{more}")
        lines += [f"    {line}" for line in reason.splitlines()]
    return "\n".join(lines)
