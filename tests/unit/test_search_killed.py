"""Who is killed in a search, or taken for it: trials are queued anew, and counted once."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from optuna.trial import TrialState
from tests.studies import make_root, run, toy_plan

from assay.search.outcome import outcome
from assay.search.storage import URL, Badge, Store, lives
from assay.search.trial import Material, run_trial
from assay.search.turns import next_trial
from assay.search.work import work


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return make_root(tmp_path)


def test_a_trial_whose_worker_is_gone_is_queued_anew(root: Path) -> None:
    plan = toy_plan(root)
    store, badge = Store(plan, root), Badge(plan.folder(root))
    trial = next_trial(store, badge, 4)
    assert trial is not None
    assert lives(store.folder, badge.name)
    other = Badge(store.folder)
    second = next_trial(store, other, 4)
    assert second is not None
    assert second.params != trial.params  # the first is alive, so nothing was retried
    badge._stream.close()  # the kernel does this for a killed process
    again = next_trial(store, other, 4)
    assert again is not None
    assert again.params == trial.params
    states = [t.state.name for t in store.trials()]
    assert states == ["FAIL", "RUNNING", "RUNNING"]
    assert outcome(plan, store.trials()).tried == []  # the killed one stands in its repetition
    other._stream.close()
    last = Badge(store.folder)
    assert next_trial(store, last, 2) is not None
    assert next_trial(store, last, 2) is not None
    assert next_trial(store, last, 2) is None  # two trials, however often they were killed


@pytest.mark.parametrize("when", ["before", "while"])
def test_a_worker_that_was_taken_for_dead_drops_its_trial(
    root: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """A machine wakes up; meanwhile the trial was told as killed and given to another worker."""
    monkeypatch.setenv(URL, f"sqlite:///{root}/studies.db")
    plan = toy_plan(root)
    store = Store(plan, root)
    trial = next_trial(store, Badge(store.folder), 4)
    assert trial is not None
    tell = partial(store.study.tell, trial.number, state=TrialState.FAIL)
    if when == "before":
        tell()
    else:
        monkeypatch.setattr(trial, "should_prune", tell)  # asked after the first epoch
    assert run_trial(store, trial, Material.read(plan.task, root)) is None
    assert [each.state.name for each in store.trials()] == ["FAIL"]
    work(store.folder, 1)  # the study goes on


def test_a_trial_that_kills_its_worker_ends(root: Path) -> None:
    plan = toy_plan(root)
    store = Store(plan, root)
    for _ in range(4):
        badge = Badge(store.folder)
        assert next_trial(store, badge, 1) is not None
        badge._stream.close()
    assert next_trial(store, Badge(store.folder), 1) is None
    [trial] = outcome(plan, store.trials()).tried
    assert trial.state == "failed"
    assert "killed" in trial.reason


def test_a_torn_line_costs_nothing(root: Path) -> None:
    run(root, trials=2, fixed={"train.epochs": 1})
    plan = toy_plan(root, trials=2, fixed={"train.epochs": 1})
    with (plan.folder(root) / "journal.log").open("ab") as stream:
        stream.write(b'{"op_code":4,"worker_id"')
    work(plan.folder(root), 3)
    assert len(outcome(plan, Store(plan, root).trials()).ended("complete")) == 3
