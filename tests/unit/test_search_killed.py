"""Who is killed in a search, or taken for it: trials are queued again, and counted once."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from tests.studies import make_root, results, toy_plan

from assay.search.plan import StudyPlan
from assay.search.results import reason
from assay.search.space import suggest
from assay.search.storage import FILE, give_heartbeat, open_study, queue_killed
from assay.search.worker import work


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return make_root(tmp_path)


def killed_trial(plan: StudyPlan, root: Path, *, beats: bool = True) -> optuna.Trial:
    """Leave a trial as a kill does: half, and silent for long."""
    study = open_study(plan, root)
    trial = study.ask()
    suggest(plan.study, trial)
    if beats:
        give_heartbeat(trial)
    with closing(sqlite3.connect(plan.folder(root) / FILE)) as database, database:
        database.execute("UPDATE trial_heartbeats SET heartbeat = '2020-01-01 00:00:00'")
        database.execute("UPDATE trials SET datetime_start = '2020-01-01 00:00:00.000000'")
    return trial


@pytest.mark.parametrize("beats", [True, False])
def test_a_killed_trial_is_run_again_and_counted_once(root: Path, beats: bool) -> None:
    plan = toy_plan(root, fixed={"train.epochs": 1})
    params = killed_trial(plan, root, beats=beats).params
    queue_killed(open_study(plan, root))
    work(plan.folder(root), 2)
    assert [t.state.name for t in open_study(plan, root).trials] == ["FAIL", "COMPLETE", "COMPLETE"]
    first, second = results(plan, root).trials
    assert first.params == params != second.params


def test_a_trial_that_kills_its_worker_ends(root: Path) -> None:
    plan = toy_plan(root)
    for _ in range(4):
        killed_trial(plan, root)
        queue_killed(open_study(plan, root))
    [trial] = results(plan, root).ended("failed")
    assert "killed" in reason(trial)
    assert len(open_study(plan, root).trials) == 4


def test_a_worker_that_was_taken_for_dead_drops_its_trial(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine wakes up; meanwhile the trial was told as killed and given to another worker."""
    plan = toy_plan(root)

    asked: list[int] = []

    def told_meanwhile(trial: optuna.Trial) -> bool:
        asked.append(trial.number)
        if trial.number == 0:
            trial.study.tell(trial.number, state=TrialState.FAIL)
        return False

    monkeypatch.setattr(optuna.Trial, "should_prune", told_meanwhile)  # asked after each epoch
    work(plan.folder(root), 1)
    assert asked == [0, 1, 1, 1]  # the study goes on
    assert results(plan, root).compared == 1
