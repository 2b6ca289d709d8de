"""A line for each trial that has ended: what came of it, the best so far, the time left."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from assay.search.objective import CURVE
from assay.search.results import reason, seconds, trial_state

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from assay.search.results import StudyResults


class Progress:
    """Says each ended trial once."""

    def __init__(
        self, before: StudyResults, wanted: int, workers: int, say: Callable[[str], None]
    ) -> None:
        self._wanted, self._workers, self._say = wanted, workers, say
        self._told = {trial.number for trial in before.trials}
        self._count, self._has_waited = before.compared, False
        if before.trials:
            say(f"{before.compared} of {wanted} trials known already · {before.best_line()}")

    def __call__(self, results: StudyResults) -> None:
        """Say what is new."""
        for trial in results.trials:
            if trial.number not in self._told:
                self._told.add(trial.number)
                self._count += trial_state(trial) != "failed"
                self._say(self._line(results, trial))

    def wait(self, silence: int) -> None:
        """Say, once, that nobody works here."""
        if not self._has_waited:
            self._say(
                f"a trial runs elsewhere, or was killed: {silence} s without a heartbeat tell"
            )
        self._has_waited = True

    def _line(self, results: StudyResults, trial: FrozenTrial) -> str:
        epochs = len(trial.user_attrs.get(CURVE, ()))
        more = f" after {epochs} epochs" if trial_state(trial) == "pruned" else ""
        more = f": {reason(trial).partition(chr(10))[0]}" if reason(trial) else more
        shown = f"trial {trial.number}: {results.shown(trial)}{more}"
        left = self._left(results)
        return f"[{self._count}/{self._wanted}] {shown} · {results.best_line()}{left}"

    def _left(self, results: StudyResults) -> str:
        left = self._wanted - self._count
        if left <= 0:
            return ""
        mean = sum(map(seconds, results.trials)) / len(results.trials)
        return f" · {mean:.0f} s a trial, {_duration(mean * left / min(self._workers, left))} left"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
