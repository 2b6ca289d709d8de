"""Who tries what next: one worker at a time asks; what a killed one left half is tried again."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from assay.runs.files import content_digest
from assay.runs.lock import held
from assay.search.storage import RETRIES, lives

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

    from assay.search.storage import Badge, Store

WORKER = "worker"  # whose trial it is
HISTORY = "retry_history"  # Optuna's own: the numbers of the killed trials that this one repeats


def next_trial(store: Store, badge: Badge, wanted: int) -> optuna.Trial | None:
    """Return a trial to run, or None where the budget of `wanted` trials is spent.

    Trials are counted under one lock, so that several workers start no trial too many, and the sampler is
    seeded by the count, so that an interrupted study draws what an undisturbed one draws.
    """
    from optuna.trial import TrialState

    with held(store.folder / "turn.lock", "another worker asks; waiting"):
        retry_killed(store)
        lay_out_grid(store)
        known = counted(store.trials())
        waiting = [trial for trial in known if trial.state == TrialState.WAITING]
        exhausted = store.plan.study.sampler == "grid" and not waiting
        if len(known) - len(waiting) >= wanted or exhausted:
            return None
        store.study.sampler = _sampler(store, len(known))
        trial = store.study.ask(store.plan.distributions)
        trial.set_user_attr(WORKER, badge.name)
        return trial


def counted(trials: list[FrozenTrial]) -> list[FrozenTrial]:
    """Return the trials without those that were killed and stand repeated in another."""
    again = superseded(trials)
    return [trial for trial in trials if trial.number not in again]


def superseded(trials: list[FrozenTrial]) -> set[int]:
    """Return the numbers of the killed trials that others repeat."""
    return {number for trial in trials for number in trial.system_attrs.get(HISTORY, ())}


def retry_killed(store: Store) -> None:
    """Fail every trial whose worker has died, and queue it anew, with the same values."""
    import optuna

    if store.database is not None:
        optuna.storages.fail_stale_trials(store.study)
        return
    retry = optuna.storages.RetryHeartbeatStaleTrialCallback(max_retry=RETRIES)
    trials = store.trials()
    again = superseded(trials)
    for trial in trials:
        if trial.state != optuna.trial.TrialState.RUNNING:
            continue
        # Asking and signing are one turn, so whoever did not sign died within it.
        badge = trial.user_attrs.get(WORKER, "")
        if badge and lives(store.folder, badge):
            continue
        if trial.number not in again:  # queued first: a kill between the two loses nothing
            retry(store.study, copy.deepcopy(trial))  # it writes into what it is given
        store.study.tell(trial.number, state=optuna.trial.TrialState.FAIL)


def lay_out_grid(store: Store) -> None:
    """Queue every combination of a grid, once."""
    if store.plan.study.sampler != "grid" or store.study.user_attrs.get("laid out"):
        return
    for values in store.plan.grid():
        store.study.enqueue_trial(values, skip_if_exists=True)
    store.study.set_user_attr("laid out", value=True)


def make_pruner(store: Store) -> optuna.pruners.BasePruner:
    """Return what the declaration names."""
    from optuna import pruners

    how = store.plan.study.pruner
    if how == "none":
        return pruners.NopPruner()
    if how.kind == "median":
        return pruners.MedianPruner(how.startup, how.epochs - 1)
    return pruners.SuccessiveHalvingPruner(
        min_resource=how.epochs, reduction_factor=3, bootstrap_count=how.startup
    )


def _sampler(store: Store, count: int) -> optuna.samplers.BaseSampler:
    from optuna import samplers

    study = store.plan.study
    seed = int(content_digest([study.seed, count], 8), 16)
    if study.sampler == "tpe":
        return samplers.TPESampler(seed=seed)
    return samplers.RandomSampler(seed=seed)
