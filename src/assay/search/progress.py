"""What a person, or a program, sees of trials while a study runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assay.jobs.display import Best, Tally, finite, time_left
from assay.runs.console import Bar
from assay.search.objective import CURVE
from assay.search.results import reason, seconds, trial_state, values_of

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from assay.jobs.display import Display
    from assay.search.results import StudyResults


class TrialProgress:
    """Says each ended trial once."""

    def __init__(self, before: StudyResults, workers: int, display: Display) -> None:
        self._workers, self._display = workers, display
        self._told = {trial.number for trial in before.trials}
        self._count, self._has_waited = before.compared, False
        display.known(self._tally(before))

    def __call__(self, results: StudyResults) -> None:
        """Say what is new, and draw what runs."""
        for trial in results.trials:
            if trial.number not in self._told:
                self._told.add(trial.number)
                self._count += trial_state(trial) != "failed"
                self._tell(results, trial)
        self._display.draw(
            {t.number: _bar(results, t) for t in results.running}, self._tally(results)
        )

    def wait(self, silence: int) -> None:
        """Say, once, that nobody works here."""
        if not self._has_waited:
            self._display.remark(
                f"a trial runs elsewhere, or was killed: {silence} s without a heartbeat tell"
            )
        self._has_waited = True

    def _tell(self, results: StudyResults, trial: FrozenTrial) -> None:
        epochs, why = len(trial.user_attrs.get(CURVE, ())), reason(trial).partition("\n")[0]
        more = f" after {epochs} epochs" if trial_state(trial) == "pruned" else ""
        metrics = dict(zip(results.objectives, map(finite, values_of(trial)), strict=False))
        said = results.shown(trial) + (f": {why}" if why else more)
        self._display.tell(
            self._tally(results), _name(trial), said,
            state=trial_state(trial), metrics=metrics, epochs=epochs, reason=why,
        )  # fmt: skip

    def _tally(self, results: StudyResults) -> Tally:
        trials, total = results.trials, self._display.total
        left = max(0, total - self._count)
        whole = sum(map(seconds, trials)) / len(trials) if trials else None
        needs = [max(0.0, whole - seconds(trial)) for trial in results.running] if whole else []
        best = [results.choose()] if results.front else []
        return Tally(
            "trial", total, self._count, min(left, self._workers), len(results.ended("failed")),
            next((Best(_name(t), results.objectives[0], t.values[0]) for t in best), None),
            results.best_line(), whole,
            whole and time_left(whole, needs, max(0, left - len(needs)), self._workers),
        )  # fmt: skip


def _name(trial: FrozenTrial) -> str:
    return f"trial {trial.number}"


def _bar(results: StudyResults, trial: FrozenTrial) -> Bar:
    """Return how far a trial is, by what it told the pruner; nothing, of several objectives."""
    epochs: Any = results.plan.section_with(trial.params)["train"]["epochs"]
    told, last = trial.intermediate_values, trial.last_step
    said = "" if last is None else f"{results.objectives[0]} {told[last]:.4g}"
    return Bar(_name(trial), 0 if last is None else last + 1, epochs, said)
