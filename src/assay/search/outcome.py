"""What came of a study: its trials by how they ended, the best, the front, and the one that is chosen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from assay.errors import AssayError
from assay.search.trial import CHOSEN, CURVE, REASON, REPEATS
from assay.search.turns import counted

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from assay.search.plan import StudyPlan

STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}


@dataclass(frozen=True)
class Tried:
    """A trial that has ended.

    Attributes:
        number: of the trial, in the storage.
        state: complete, pruned or failed.
        params: key below the task's section → value.
        values: of the objectives, in their order; empty where it did not complete.
        curve: a row an epoch.
        chosen: the row of the epoch that the epoch rule chose.
        reason: why it failed.
        repeats: the number of the trial with equal values, whose numbers these are.
        start: seconds since 1970.
        seconds: it took.
    """

    number: int
    state: str
    params: Mapping[str, Any]
    values: Sequence[float]
    curve: Sequence[Mapping[str, float]]
    chosen: Mapping[str, float]
    reason: str
    repeats: int | None
    start: float
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """The ended trials of a study, in the order of their numbers."""

    plan: StudyPlan
    tried: Sequence[Tried]
    waiting: int = 0

    def ended(self, state: str) -> list[Tried]:
        """Return the trials that ended so."""
        return [trial for trial in self.tried if trial.state == state]

    @property
    def objectives(self) -> list[str]:
        return list(self.plan.study.objectives)

    @property
    def compared(self) -> int:
        """How many different trials were looked at: the N of “the best of N”."""
        return sum(trial.state != "failed" and trial.repeats is None for trial in self.tried)

    @cached_property
    def front(self) -> list[Tried]:
        """The trials that none other beats in every objective; of equal ones the first."""
        found = {tuple(self._signed(trial)): trial for trial in reversed(self.ended("complete"))}
        best = [
            trial
            for own, trial in found.items()
            if not any(other != own and _below(other, own) for other in found)
        ]
        return sorted(best, key=lambda trial: (self._signed(trial), trial.number))

    def choose(self, number: int | None = None) -> Tried:
        """Return the trial that the recipe is of.

        Without a number: the best; of a front, the one nearest to the best of every objective, each
        counted in the front's own range.

        Raises:
            AssayError: no trial completed, or not this one.
        """
        complete = {trial.number: trial for trial in self.ended("complete")}
        if not complete:
            raise AssayError(f"search {self.plan.title}", "no trial completed")
        if number is not None:
            if number not in complete:
                known = ", ".join(map(str, complete))
                raise AssayError(f"trial {number}", "did not complete", f"one of {known}")
            return complete[number]
        rows = [self._signed(trial) for trial in self.front]
        low, high = ([pick(column) for column in zip(*rows, strict=True)] for pick in (min, max))
        return min(
            self.front,
            key=lambda trial: math.hypot(*(
                (value - a) / (b - a) if b > a else 0.0
                for value, a, b in zip(self._signed(trial), low, high, strict=True)
            )),
        )  # fmt: skip

    def best_line(self) -> str:
        """Return the best so far as text; of several objectives, the front's size and its ends."""
        if not self.front:
            return "nothing complete yet"
        if len(self.objectives) == 1:
            best = self.front[0]
            return f"best {self.shown(best)} (trial {best.number})"
        ends = []
        for index, (name, aim) in enumerate(self.plan.study.objectives.items()):
            pick = min if aim == "minimize" else max
            ends.append(f"{name} {pick(trial.values[index] for trial in self.front):.4g}")
        return f"front of {len(self.front)}, best {', '.join(ends)}"

    def shown(self, trial: Tried) -> str:
        """Return a trial's objectives as text, or its state."""
        if trial.state != "complete":
            return trial.state
        pairs = zip(self.objectives, trial.values, strict=True)
        return ", ".join(f"{name} {value:.4g}" for name, value in pairs)

    def counts(self) -> str:
        """Return how many ended how."""
        return ", ".join(f"{len(self.ended(state))} {state}" for state in STATES.values())

    def rows(self) -> list[dict[str, Any]]:
        """Return the trial table, a row a trial."""
        absent: list[Any] = [None] * len(self.objectives)
        return [
            {
                "trial": trial.number,
                "state": trial.state,
                **dict(zip(self.objectives, list(trial.values) or absent, strict=True)),
                "epochs": len(trial.curve),
                "seconds": round(trial.seconds, 1),
                **trial.params,
                "repeats": trial.repeats,
                "reason": trial.reason.partition("\n")[0],
            }
            for trial in self.tried
        ]

    def _signed(self, trial: Tried) -> list[float]:
        """Return the values so that less is better."""
        aims = self.plan.study.objectives.values()
        return [v if aim == "minimize" else -v for v, aim in zip(trial.values, aims, strict=True)]


def outcome(plan: StudyPlan, trials: Sequence[FrozenTrial]) -> Outcome:
    """Return what came of a study so far; killed trials stand in their repetition."""
    known = counted(list(trials))
    ended = [_tried(plan, trial) for trial in known if trial.state.is_finished()]
    return Outcome(plan, ended, len(known) - len(ended))


def _tried(plan: StudyPlan, trial: FrozenTrial) -> Tried:
    own, state = trial.user_attrs, STATES[trial.state.name]
    said = own.get(REASON, "") or ("killed, again and again" if state == "failed" else "")
    return Tried(
        number=trial.number,
        state=state,
        params=plan.values(trial.params),
        values=trial.values if state == "complete" and trial.values else [],
        curve=own.get(CURVE, []),
        chosen=own.get(CHOSEN, {}),
        reason=said,
        repeats=own.get(REPEATS),
        start=trial.datetime_start.timestamp() if trial.datetime_start else 0.0,
        seconds=trial.duration.total_seconds() if trial.duration else 0.0,
    )


def _below(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True))
