"""A result of many trainings in MLflow: a run of it, and below it a run of each training."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.asked import noted
from tests.conftest import TASK
from tests.history_set import History, job

from assay.registry import gc_runs
from assay.runs.events import EventLog, events_path
from assay.tracking import children as children_module
from assay.tracking import sync as sync_module
from assay.tracking.children import JOB, OF
from assay.tracking.entries import iter_lock_entries
from assay.tracking.mlflow_run import NOTE, PARENT, write_run
from assay.tracking.results import join_results
from assay.tracking.store import open_store
from assay.tracking.sync import RESULT, known_runs, sync

COUNT = 8  # two folds of four configurations, of which the first two are finalists


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> History:
    history = History(tmp_path_factory.mktemp("grids") / "project")
    history.experiment("grid", 1, COUNT)
    open_store(history.folder)
    return history


@pytest.fixture
def history(_made: History, tmp_path: Path) -> History:
    """Return a repository with a plain result and a grid, and a store that holds nothing yet."""
    return _made.copied(tmp_path / "project")


@pytest.fixture(scope="module")
def undisturbed(_made: History, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what the trainings' runs hold where nobody was killed."""
    history = _made.copied(tmp_path_factory.mktemp("undisturbed") / "project")
    sync(history.folder)
    return facts(history)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    return noted(monkeypatch, sync_module)


@pytest.fixture
def synced(history: History, asked: list[Path]) -> History:
    done = sync(history.folder)
    assert (done.created, done.healed) == (2, [])
    return history


def client(history: History) -> Any:
    return open_store(history.folder)


def runs(history: History) -> list[Any]:
    place = client(history).get_experiment_by_name(TASK).experiment_id
    return list(client(history).search_runs([place]))


def parent(history: History) -> Any:
    [found] = [each for each in runs(history) if each.info.run_name == "grid"]
    return found


def below(history: History) -> dict[str, Any]:
    """Return the trainings' runs by key, as the UI shows them below the one of their result."""
    above = parent(history).info.run_id
    found = [each for each in runs(history) if each.data.tags.get(PARENT) == above]
    assert len({each.data.tags[JOB] for each in found}) == len(found)
    return {each.data.tags[JOB]: each for each in found}


def facts(history: History) -> dict[str, Any]:
    """Return all that the trainings' runs hold, but for their ids."""
    return {
        key: (run.info.run_name, run.info.status, run.data.params, run.data.metrics)
        for key, run in below(history).items()
    }


def assert_mended_once(history: History, asked: list[Path], *healed: str) -> None:
    """Sync says this, and leaves eight trainings; a second one does not ask MLflow."""
    done = sync(history.folder)
    assert done.line() == "0 run(s) added, 2 known"
    assert len(done.healed) == len(healed)
    assert all(said in line for said, line in zip(healed, done.healed, strict=True)), done.healed
    assert set(below(history)) == {job(1, place)["key"] for place in range(COUNT)}
    asked.clear()
    assert sync(history.folder).healed == []
    assert asked == []


def test_each_training_is_a_run_below_that_of_its_result(synced: History) -> None:
    above, found = parent(synced), below(synced)
    assert set(found) == {job(1, place)["key"] for place in range(COUNT)}
    run = found[job(1, 3)["key"]]
    assert run.info.run_name == "p2-net_1.in1k fold 1"
    assert run.info.status == "FINISHED"
    assert run.data.params == {
        "configuration": "p2-net_1.in1k", "fold": "1", "backbone": "net_1.in1k",
        "hidden": "[512, 256]", "epochs": "2",
    }  # fmt: skip
    assert run.data.metrics["final/mae"] == 3 / 8
    assert run.data.metrics["final/epoch"] == 1
    curve = client(synced).get_metric_history(run.info.run_id, "curve/mae")
    assert [(point.step, point.value) for point in curve] == [(0, 3.0), (1, 3.25), (2, 3.5)]
    assert run.data.tags[OF] == above.data.tags[RESULT]
    assert Counter(each.data.tags["is_finalist"] for each in found.values()) == {"yes": 4, "no": 4}
    assert "curve/depth" in run.data.metrics
    assert "curve/depth" not in found[job(1, 0)["key"]].data.metrics  # of the other phase alone


def test_of_a_large_grid_fewer_epochs_are_drawn(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never without the last and the chosen one; the result's file has all."""
    rows = [{"epoch": float(epoch)} for epoch in range(11)]
    assert [row["epoch"] for row in children_module._drawn(rows, 4, {"epoch": 5})] == [
        0,
        4,
        5,
        8,
        10,
    ]
    assert children_module._drawn(rows, 1, {}) == rows
    monkeypatch.setattr(children_module, "DRAWN", 6)  # of 20: every fourth
    monkeypatch.setattr("tests.history_set.CHOSEN", 0)
    history.experiment("first", 3, COUNT)
    sync(history.folder)
    [run] = [each for each in runs(history) if each.data.tags.get(JOB) == job(3, 2)["key"]]
    curve = client(history).get_metric_history(run.info.run_id, "curve/mae")
    assert [point.step for point in curve] == [0, 2]


def test_the_result_shows_each_finalist_as_the_mean_of_its_folds(synced: History) -> None:
    above = parent(synced)
    groups = {name.split("/")[0] for name in above.data.metrics}
    assert groups == {"final", "final_interval", "p1-net_0.in1k", "p2-net_1.in1k"}
    curve = client(synced).get_metric_history(above.info.run_id, "p2-net_1.in1k/mae")
    assert [point.value for point in curve] == [2.5, 2.75, 3.0]


def test_a_page_is_an_artifact_that_the_note_links(synced: History) -> None:
    above = parent(synced)
    files = {each.path for each in client(synced).list_artifacts(above.info.run_id, "tables")}
    assert files == {"tables/report.html", "tables/steps.csv"}
    place = f"{above.info.experiment_id}/runs/{above.info.run_id}/artifacts"
    link = f"[tables/report.html](#/experiments/{place}/tables/report.html)"
    assert above.data.tags[NOTE].endswith(link)
    [plain] = [each for each in runs(synced) if not {PARENT, "x"} & each.data.tags.keys()
               and each.info.run_id != above.info.run_id]  # fmt: skip
    assert ".html" not in plain.data.tags[NOTE]


def test_a_result_without_jobs_has_none_below_it(synced: History) -> None:
    found = runs(synced)
    assert len(found) == COUNT + 2
    [plain] = [each for each in found if each.info.run_name == f"{0:016x}"[:8]]
    assert plain.data.tags[RESULT]
    assert set(plain.data.metrics) >= {"curve/mae", "final/mae"}


def test_a_training_has_the_clock_of_its_own_log(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = iter([5.0, 6.0, 8.0, 9.0])
    monkeypatch.setattr("assay.runs.events.time.time", lambda: next(moments))
    log = EventLog(events_path(history.folder, f"train@{TASK}", job(1, 0)["key"]))
    log.note("begun", {"goes_on": False})
    for epoch in (0, 1):
        log.note("epoch", {"epoch": epoch})
    log.note("trained")
    monkeypatch.undo()
    sync(history.folder)
    run = below(history)[job(1, 0)["key"]]
    assert (run.info.start_time, run.info.end_time) == (5000, 8000)
    curve = client(history).get_metric_history(run.info.run_id, "curve/mae")
    assert [point.timestamp for point in curve] == [6000, 8000]
    other = below(history)[job(1, 1)["key"]]
    assert other.info.start_time == parent(history).info.start_time


def test_a_second_sync_asks_nobody(synced: History, asked: list[Path]) -> None:
    before = facts(synced)
    asked.clear()
    assert sync(synced.folder).line() == "0 run(s) added, 2 known"
    assert asked == []
    client(synced).set_tag(parent(synced).info.run_id, "mine", "x")  # so that it is asked
    assert_mended_once(synced, asked)
    assert facts(synced) == before


@pytest.mark.parametrize("calls", [1, 3, 9, 20, 33])
def test_killed_anywhere_it_ends_as_if_undisturbed(
    history: History, undisturbed: dict[str, Any], asked: list[Path], calls: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A kill after any call of MLflow's leaves what the next sync finds, and says."""
    left, mlflow = iter(range(calls)), type(client(history))

    class Killed(BaseException): ...

    def dying(name: str) -> Any:
        does = getattr(mlflow, name)

        def call(*arguments: Any, **named: Any) -> Any:
            if next(left, None) is None:
                raise Killed
            return does(*arguments, **named)

        return call

    with monkeypatch.context() as patch:
        for name in ("create_run", "log_batch", "set_terminated", "set_tag"):
            patch.setattr(mlflow, name, dying(name))
        with pytest.raises(Killed):
            sync(history.folder)
    sync(history.folder)
    assert_mended_once(history, asked)
    assert len(runs(history)) == COUNT + 2
    assert facts(history) == undisturbed


def test_a_half_built_one_is_built_anew(synced: History, asked: list[Path]) -> None:
    before, key = facts(synced), job(1, 5)["key"]
    victim = below(synced)[key].info.run_id
    client(synced).update_run(victim, status="RUNNING")
    healed = ("1 training(s) of", "1 of its 8 trainings were absent; added")
    assert_mended_once(synced, asked, *healed)
    assert below(synced)[key].info.run_id != victim
    assert facts(synced) == before


def test_deleted_ones_are_restored(synced: History, asked: list[Path]) -> None:
    mine = [job(1, place)["key"] for place in (0, 7)]
    before = {key: below(synced)[key].info.run_id for key in mine}
    for run in before.values():
        client(synced).delete_run(run)
    assert_mended_once(synced, asked, "2 of its trainings were deleted; restored")
    assert {key: below(synced)[key].info.run_id for key in mine} == before


def test_below_a_run_that_was_built_anew_they_are_the_same(
    synced: History, asked: list[Path]
) -> None:
    """MLflow's collector took the run of the result for good."""
    before, above = facts(synced), parent(synced)
    client(synced)._tracking_client.store._hard_delete_run(above.info.run_id)
    done = sync(synced.folder)
    assert (done.created, done.healed) == (1, [])
    assert parent(synced).info.run_id != above.info.run_id
    assert len(runs(synced)) == COUNT + 2
    assert facts(synced) == before
    assert_mended_once(synced, asked)


def test_without_its_history_nothing_is_built_half(
    history: History, asked: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    [grid] = [each for each in join_results(iter_lock_entries(history.folder))
              if any(sighting.experiment == "grid" for sighting in each.sightings)]  # fmt: skip
    path = history.cached(grid.outs[f"models/{TASK}/history.csv"])
    aside = path.rename(path.with_suffix(".away"))
    assert sync(history.folder).created == 2
    assert below(history) == {}
    aside.rename(path)  # dvc pull
    client(history).set_tag(parent(history).info.run_id, "mine", "x")
    said = ("history.csv; put back", "8 of its 8 trainings were absent; added")
    assert_mended_once(history, asked, *said)


def test_the_run_of_a_result_is_never_one_below_it(synced: History) -> None:
    found = known_runs(synced.folder)
    assert found is not None
    assert parent(synced).info.run_id in found.values()
    assert not {run.info.run_id for run in below(synced).values()} & set(found.values())


def test_they_go_with_their_result_and_come_with_it(synced: History, asked: list[Path]) -> None:
    results = join_results(iter_lock_entries(synced.folder))
    everything = {(TASK, each.digest) for each in results}
    mine = parent(synced)
    assert gc_runs.stale_runs(synced.folder, everything).runs == []
    kept = everything - {(TASK, mine.data.tags[RESULT])}
    stale = gc_runs.stale_runs(synced.folder, kept)
    family = {mine.info.run_id, *(run.info.run_id for run in below(synced).values())}
    assert set(stale.runs) == family
    gc_runs.free(synced.folder, stale, 30)
    assert len(runs(synced)) == 1
    assert gc_runs.stale_runs(synced.folder, kept).runs == []
    healed = ("was deleted; restored", "8 of its trainings were deleted; restored")
    assert_mended_once(synced, asked, *healed)
    assert {each.info.run_id for each in runs(synced)} >= family


def test_below_a_run_that_a_version_serves_they_stay(synced: History) -> None:
    mine = parent(synced)
    client(synced).create_registered_model("by-hand")
    client(synced).create_model_version("by-hand", mine.info.artifact_uri, mine.info.run_id)
    assert gc_runs.stale_runs(synced.folder, {(TASK, "another")}).runs != []
    stale = gc_runs.stale_runs(synced.folder, {(TASK, "another")}).runs
    assert not {mine.info.run_id, *(run.info.run_id for run in below(synced).values())} & set(stale)


def test_a_second_grid_has_its_own(synced: History) -> None:
    synced.experiment("other", 2, 2)
    assert sync(synced.folder).created == 1
    owners = Counter(each.data.tags.get(OF) for each in runs(synced))
    assert sorted(owners.values()) == [2, 3, COUNT]


def test_each_takes_four_calls(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a call costs is MLflow's; how many there are is ours."""
    counted: Counter[str] = Counter()
    inside: list[str] = []
    mlflow = type(client(history))
    writers = [each for each in dir(mlflow) if each.startswith(("create_", "log_", "set_"))]
    for name in writers:
        does = getattr(mlflow, name)

        def call(*given: Any, name: str = name, does: Any = does, **named: Any) -> Any:
            counted[name] += len(inside)
            return does(*given, **named)

        monkeypatch.setattr(mlflow, name, call)

    def writing(*given: Any) -> str:
        inside.append("")
        made = write_run(*given)
        inside.clear()
        return made

    monkeypatch.setattr(children_module, "write_run", writing)
    sync(history.folder)
    assert +counted == {"create_run": COUNT, "log_batch": 2 * COUNT, "set_terminated": COUNT}
