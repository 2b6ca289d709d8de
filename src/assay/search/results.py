"""What came of a study: its trials by how they ended, the best, the front, and the one that is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from assay.errors import AssayError
from assay.search.objective import CURVE, REASON

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

    from assay.search.plan import StudyPlan

REPEATED = "retry_history"  # Optuna's own: numbers of the killed trials that this one repeats
STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}


@dataclass(frozen=True)
class StudyResults:
    """The ended trials of a study.

    Attributes:
        plan: the study.
        trials: in the order of their numbers; without those that were killed and are repeated in another.
        front: those that none other beats in every objective; of one objective the best.
        running: those that have not ended.
    """

    plan: StudyPlan
    trials: Sequence[FrozenTrial]
    front: Sequence[FrozenTrial]
    running: Sequence[FrozenTrial] = ()

    def ended(self, state: str) -> list[FrozenTrial]:
        """Return the trials that ended so: complete, pruned or failed."""
        return [trial for trial in self.trials if trial_state(trial) == state]

    @property
    def objectives(self) -> list[str]:
        return list(self.plan.study.objectives)

    @property
    def compared(self) -> int:
        """How many trials were looked at: the N of “the best of N”."""
        return len(self.ended("complete")) + len(self.ended("pruned"))

    def choose(self, number: int | None = None) -> FrozenTrial:
        """Return the trial that the recipe is of.

        Without a number: the best; of a front, the one nearest to the best of every objective, each
        counted in the front's own range.

        Raises:
            AssayError: no trial completed, or not this one.
        """
        complete = {trial.number: trial for trial in self.ended("complete")}
        if not complete:
            raise AssayError(f"search {self.plan.title}", "no trial completed")
        if number is None:
            return self._nearest_to_ideal()
        if number not in complete:
            known = ", ".join(map(str, complete))
            raise AssayError(f"trial {number}", "did not complete", f"one of {known}")
        return complete[number]

    def _nearest_to_ideal(self) -> FrozenTrial:
        import numpy as np

        values = np.array([trial.values for trial in self.front])
        is_least = np.array([aim == "minimize" for aim in self.plan.study.objectives.values()])
        ideal = np.where(is_least, values.min(axis=0), values.max(axis=0))
        span = np.ptp(values, axis=0)
        away = (values - ideal) / np.where(span > 0, span, 1)
        return self.front[int(np.linalg.norm(away, axis=1).argmin())]

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

    def shown(self, trial: FrozenTrial) -> str:
        """Return a trial's objectives as text, or its state."""
        if trial_state(trial) != "complete":
            return trial_state(trial)
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
                "state": trial_state(trial),
                **dict(zip(self.objectives, values_of(trial) or absent, strict=True)),
                "epochs": len(trial.user_attrs.get(CURVE, ())),
                "seconds": round(seconds(trial), 1),
                **self.plan.values(trial.params),
                "reason": reason(trial).partition("\n")[0],
            }
            for trial in self.trials
        ]


def read_results(plan: StudyPlan, study: optuna.Study) -> StudyResults:
    """Return what came of a study so far."""
    trials = study.get_trials(deepcopy=False)
    repeated = {number for trial in trials for number in trial.system_attrs.get(REPEATED, ())}
    ended = [t for t in trials if t.state.is_finished() and t.number not in repeated]
    front = sorted(study.best_trials, key=lambda trial: (trial.values, trial.number))
    running = [trial for trial in trials if trial.state.name == "RUNNING"]
    return StudyResults(plan, ended, front, running)


def trial_state(trial: FrozenTrial) -> str:
    """Return how a trial ended: complete, pruned or failed."""
    return STATES[trial.state.name]


def values_of(trial: FrozenTrial) -> list[float]:
    """Return the objectives of a complete trial; Optuna has the last epoch's of a pruned one too."""
    return list(trial.values) if trial_state(trial) == "complete" else []


def seconds(trial: FrozenTrial) -> float:
    """Return how long a trial took, or has run until now."""
    begun = trial.datetime_start
    until = trial.datetime_complete or datetime.now()  # noqa: DTZ005, as Optuna's
    return (until - begun).total_seconds() if begun else 0.0


def reason(trial: FrozenTrial) -> str:
    """Return why a trial failed; empty where it did not."""
    killed = "killed, again and again" if trial_state(trial) == "failed" else ""
    return str(trial.user_attrs.get(REASON, killed))
