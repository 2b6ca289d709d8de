"""`sync` asks MLflow only where files or store have changed, and still heals all that it can find."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.asked import noted
from tests.conftest import ROOT, TASK, environment
from tests.history_set import History
from tests.inproc import forget_stores

from assay.errors import MachineError
from assay.registry import heal as mirror_module
from assay.registry.heal import sync_models
from assay.registry.ledger import append
from assay.runs.files import write_json
from assay.tracking import stamp
from assay.tracking import sync as sync_module
from assay.tracking.entries import Revision, iter_lock_entries
from assay.tracking.find import find_result
from assay.tracking.projection import TAG_LENGTH, revision_tags
from assay.tracking.results import Result, join_results
from assay.tracking.store import DATABASE, open_store, store_folder, stored_path
from assay.tracking.sync import DRAFT, RESULT, Synced, known_runs, sync

WEIGHTS = hashlib.md5(b"weights that arrive").hexdigest()
CODE = """
import sys
from pathlib import Path
from assay.commands.sync import command
command(standalone_mode=False)
print("mlflow" in sys.modules)
"""


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> History:
    history = History(tmp_path_factory.mktemp("synced") / "project")
    for number in (1, 2):
        history.experiment(f"e{number}", number)
    open_store(history.folder)
    return history


@pytest.fixture
def history(_made: History, tmp_path: Path) -> History:
    """Return a repository with three results, and a store that holds nothing yet."""
    return _made.copied(tmp_path / "project")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Note each time that MLflow is asked."""
    return noted(monkeypatch, sync_module)


@pytest.fixture
def synced(history: History, asked: list[Path]) -> History:
    """Return the repository when everything is synced and noted."""
    assert sync(history.folder).line().startswith("3 run(s) added, 0 known")
    assert asked
    asked.clear()
    assert sync(history.folder).line() == "0 run(s) added, 3 known"
    assert not asked
    return history


def client(history: History) -> Any:
    return open_store(history.folder)


def runs(history: History) -> dict[str, Any]:
    """Return result → run, as the UI shows them."""
    place = client(history).get_experiment_by_name(TASK).experiment_id
    found = client(history).search_runs([place])
    assert len({run.data.tags[RESULT] for run in found}) == len(found)
    return {run.data.tags[RESULT]: run for run in found}


def assert_mended_once(history: History, asked: list[Path], line: str, *healed: str) -> Synced:
    """Sync what was changed: MLflow is asked, says this, and what it now holds is what is noted."""
    asked.clear()
    done = sync(history.folder)
    assert done.line() == line
    assert len(done.healed) == len(healed)
    # Runs of one second come in no order.
    assert all(any(said in line for line in done.healed) for said in healed)
    assert asked
    assert done.runs == {result: run.info.run_id for result, run in runs(history).items()}
    asked.clear()
    assert sync(history.folder).runs == done.runs
    assert not asked
    return done


def in_a_process(history: History) -> str:
    place = environment(PYTHONPATH=str(ROOT / "src"))
    done = subprocess.run(
        [sys.executable, "-c", CODE], cwd=history.folder, env=place, text=True, check=True,
        capture_output=True,
    )  # fmt: skip
    return done.stdout


def test_nothing_new_imports_no_mlflow(history: History) -> None:
    first = in_a_process(history).splitlines()
    assert first[-2].startswith("3 run(s) added, 0 known")
    assert first[-1] == "True"
    second = in_a_process(history).splitlines()
    assert second[-2].startswith("0 run(s) added, 3 known")
    assert second[-1] == "False"


def test_the_runs_are_those_of_the_store(synced: History, asked: list[Path]) -> None:
    done = sync(synced.folder)
    assert done.runs == {result: run.info.run_id for result, run in runs(synced).items()}
    assert not asked


def test_a_result_is_found_by_its_run_without_mlflow(
    synced: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = join_results(iter_lock_entries(synced.folder))
    found = known_runs(synced.folder)
    assert found is not None
    digest, run = next(iter(found.items()))
    monkeypatch.setattr("assay.tracking.find.open_store", None)
    assert find_result(synced.folder, results, run[:8]).result.digest == digest


@pytest.mark.parametrize("place", [".", DATABASE])
def test_a_deleted_store_is_built_anew(synced: History, place: str) -> None:
    """In processes of their own: in this one MLflow holds the deleted file open."""
    gone = store_folder(synced.folder) / place
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    assert known_runs(synced.folder) is None
    assert "3 run(s) added, 0 known" in in_a_process(synced)
    assert len(known_runs(synced.folder) or {}) == 3


def test_a_deleted_run_is_restored(synced: History, asked: list[Path]) -> None:
    victim = next(iter(runs(synced).values())).info.run_id
    client(synced).set_tag(victim, "mine", "what a person noted")
    client(synced).delete_run(victim)
    assert_mended_once(synced, asked, "0 run(s) added, 3 known", "was deleted; restored")
    assert client(synced).get_run(victim).data.tags["mine"]


def test_a_deleted_experiment_is_restored(synced: History, asked: list[Path]) -> None:
    before = {run.info.run_id for run in runs(synced).values()}
    client(synced).delete_experiment(client(synced).get_experiment_by_name(TASK).experiment_id)
    assert_mended_once(synced, asked, "0 run(s) added, 3 known")
    assert {run.info.run_id for run in runs(synced).values()} == before


def test_lost_artifacts_are_put_back(synced: History, asked: list[Path]) -> None:
    """The database knows nothing of it."""
    one, other, _ = (
        stored_path(synced.folder, run.info.artifact_uri) for run in runs(synced).values()
    )
    assert one is not None
    assert other is not None
    before = (one / "scores.csv").read_bytes()
    (one / "scores.csv").unlink()
    shutil.rmtree(other)
    said = ("lacked scores.csv; put back", "history.csv")
    assert_mended_once(synced, asked, "0 run(s) added, 3 known", *said)
    assert (one / "scores.csv").read_bytes() == before
    assert len(list(other.iterdir())) == 3


def test_a_run_cut_off_half_way_is_built_anew(synced: History, asked: list[Path]) -> None:
    run = next(iter(runs(synced).values()))
    client(synced).set_tag(run.info.run_id, DRAFT, run.data.tags[RESULT])
    client(synced).delete_tag(run.info.run_id, RESULT)
    said = "half-built by a sync that was killed; deleted"
    assert_mended_once(synced, asked, "1 run(s) added, 2 known", said)


def test_a_lost_tag_and_a_left_mark_are_mended(synced: History, asked: list[Path]) -> None:
    named = {run.data.tags["experiment"]: run for run in runs(synced).values()}
    client(synced).delete_tag(named["e1"].info.run_id, "experiment")
    client(synced).set_tag(named["e2"].info.run_id, DRAFT, "x")
    assert_mended_once(synced, asked, "0 run(s) added, 3 known")
    mended = {run.data.tags["experiment"]: run for run in runs(synced).values()}
    assert mended.keys() == named.keys()
    assert not any(DRAFT in run.data.tags for run in mended.values())


def test_another_name_of_a_known_result_is_added(synced: History, asked: list[Path]) -> None:
    commit = synced.git("for-each-ref", "--format=%(objectname)", "refs/exps").split()[0]
    ref = f"refs/exps/{synced.baseline[:2]}/{synced.baseline[2:]}/second"
    other = synced.git("commit-tree", f"{commit}^{{tree}}", "-p", synced.baseline, "-m", "x")
    synced.git("update-ref", ref, other)
    assert_mended_once(synced, asked, "0 run(s) added, 3 known")
    assert "e1, second" in {run.data.tags["experiment"] for run in runs(synced).values()}


def test_a_new_experiment_is_added(synced: History, asked: list[Path]) -> None:
    synced.experiment("e3", 3)
    assert_mended_once(synced, asked, "1 run(s) added, 3 known")


def test_a_clone_builds_its_own(synced: History, asked: list[Path], tmp_path: Path) -> None:
    synced.git("clone", "-q", "--mirror", ".", str(tmp_path / "clone/.git"))
    clone = History.__new__(History)
    clone.folder, clone.baseline = tmp_path / "clone", synced.baseline
    clone.git("config", "core.bare", "false")
    clone.git("reset", "-q", "--hard")
    shutil.copytree(synced.folder / ".dvc/cache", clone.folder / ".dvc/cache")
    assert_mended_once(clone, asked, "3 run(s) added, 0 known")


def test_a_copied_store_is_refused(synced: History, asked: list[Path], tmp_path: Path) -> None:
    """What was logged to it would land among the files of the store that it was copied from."""
    copy = synced.copied(tmp_path / "copy")
    before = sorted(store_folder(synced.folder).rglob("*"))
    with pytest.raises(MachineError, match="this checkout was copied or moved") as refusal:
        sync(copy.folder)
    assert sorted(store_folder(synced.folder).rglob("*")) == before
    aside, verb = refusal.value.mend.split(" && ")
    assert verb == "assay sync"
    forget_stores()
    subprocess.run(aside, shell=True, check=True)
    assert_mended_once(copy, asked, "3 run(s) added, 0 known")


def test_of_a_stated_server_nothing_is_assumed(
    synced: History, asked: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = store_folder(synced.folder) / DATABASE
    for uri in (f"sqlite:///{tmp_path}/other.db", f"sqlite:///{own}"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        assert not stamp.state_of(synced.folder)
        assert known_runs(synced.folder) is None
        for _ in range(2):
            asked.clear()
            sync(synced.folder)
            assert asked
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert sync(synced.folder).line() == "0 run(s) added, 3 known"


def test_files_that_arrive_later_are_added(history: History, asked: list[Path]) -> None:
    results = join_results(iter_lock_entries(history.folder))
    record = history.cached(results[0].record)
    aside = record.rename(record.with_suffix(".away"))
    for _ in range(2):
        done = sync(history.folder)
        assert done.absent == [results[0].digest]
    asked.clear()
    assert "1 known to git but not in the DVC cache" in sync(history.folder).line()
    assert not asked
    aside.rename(record)  # dvc pull
    assert_mended_once(history, asked, "1 run(s) added, 2 known")


@pytest.mark.parametrize("mode", ["delete", "truncate", "persist", "wal"])
def test_whoever_writes_to_the_store_is_noticed(
    synced: History, asked: list[Path], mode: str
) -> None:
    """A UI that runs: in no journal mode does a change pass unseen, committed or not."""
    with sqlite3.connect(store_folder(synced.folder) / DATABASE, isolation_level=None) as ui:
        ui.execute(f"PRAGMA journal_mode={mode}")
        before = stamp.state_of(synced.folder)
        ui.execute("BEGIN IMMEDIATE")
        ui.execute("UPDATE tags SET value = 'x' WHERE key = 'experiment' AND value = 'e1'")
        ui.execute("PRAGMA cache_size=1")
        assert known_runs(synced.folder) is None or stamp.state_of(synced.folder) == before
        ui.execute("COMMIT")
        assert stamp.state_of(synced.folder) != before
        assert known_runs(synced.folder) is None
        asked.clear()
        assert sync(synced.folder).line() == "0 run(s) added, 3 known"
        assert asked
    ui.close()
    assert "e1" in {run.data.tags["experiment"] for run in runs(synced).values()}


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"null", b"[]", b"\xff\xfe", b'{"state": 1}', b'{"state": "x", "parts": 3}',
        b'{"state": "STATE", "parts": {"runs": null}}', b'{"state": "STATE", "parts": {"runs": []}}',
        b'{"state": "STATE", "parts": {"runs": {"of": "OF"}}}',
        b'{"state": "STATE", "parts": {"runs": {"of": "OF", "runs": 1}}}',
    ],
)  # fmt: skip
def test_a_torn_or_foreign_note_is_none(synced: History, asked: list[Path], content: bytes) -> None:
    path = store_folder(synced.folder) / stamp.FILE
    noted = stamp.noted(synced.folder, "runs")
    state = stamp.state_of(synced.folder)
    content = content.replace(b"STATE", state.encode()).replace(b"OF", noted["of"].encode())
    path.write_bytes(content)
    assert_mended_once(synced, asked, "0 run(s) added, 3 known")


def test_what_is_noted_is_what_is_believed(synced: History, asked: list[Path]) -> None:
    """A planted run comes back: the answer is the note's, and not by chance MLflow's."""
    path = store_folder(synced.folder) / stamp.FILE
    noted = stamp.noted(synced.folder, "runs")
    planted = {**noted, "runs": dict.fromkeys(noted["runs"], "planted")}
    write_json(path, {"state": stamp.state_of(synced.folder), "parts": {"runs": planted}})
    assert set(sync(synced.folder).runs.values()) == {"planted"}
    assert not asked


def test_a_change_while_sync_looks_is_not_noted(
    synced: History, asked: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever deletes a run after sync has seen it, and before it notes that, is seen the next time."""
    look: Callable[..., Any] = sync_module._bring_up
    victims = iter(run.info.run_id for run in runs(synced).values())

    def meddled(*arguments: Any) -> Any:
        done = look(*arguments)
        client(synced).delete_run(next(victims))
        return done

    synced.experiment("e3", 3)
    monkeypatch.setattr(sync_module, "_bring_up", meddled)
    sync(synced.folder)
    assert known_runs(synced.folder) is None
    monkeypatch.setattr(sync_module, "_bring_up", look)
    assert_mended_once(synced, asked, "0 run(s) added, 4 known", "restored")


@pytest.fixture
def registered(synced: History, asked: list[Path], monkeypatch: pytest.MonkeyPatch) -> History:
    """Return a repository with one imported version, whose weights are not here; all of it noted."""
    monkeypatch.setattr(mirror_module, "open_store", sync_module.open_store)  # notes who asks
    facts = {"task": TASK, "version": 1, "result": WEIGHTS, "files": {"w": WEIGHTS}, "path": "w"}
    append(synced.folder, "import", "import", facts)
    mirrored(synced)
    assert asked
    asked.clear()
    mirrored(synced)
    assert not asked
    return synced


def mirrored(history: History) -> list[str]:
    return sync_models(history.folder, sync(history.folder).runs)


def test_the_registry_is_asked_where_the_ledger_has_grown(
    registered: History, asked: list[Path]
) -> None:
    facts = {"task": TASK, "version": 2, "result": "other", "files": {"w": "1" * 32}, "path": "x"}
    append(registered.folder, "import", "import", facts)
    mirrored(registered)
    assert asked
    assert len(client(registered).search_model_versions(f"name='{TASK}'")) == 2
    asked.clear()
    mirrored(registered)
    assert not asked


def test_weights_that_arrive_later_are_registered(registered: History, asked: list[Path]) -> None:
    assert registered.keep(b"weights that arrive") == WEIGHTS
    assert "its files have arrived" in mirrored(registered)[0]
    [version] = client(registered).search_model_versions(f"name='{TASK}'")
    assert "absent" not in version.tags
    asked.clear()
    mirrored(registered)
    assert not asked


def test_hundreds_of_names_fit_into_a_tag() -> None:
    """MLflow would cut the text off, and find it to differ at every sync."""
    many = [Revision(f"{n:040x}", f"experiment-{n:04d}", "b" * 40, n) for n in range(900)]
    tags = revision_tags(Result(TASK, {}, many))
    assert all(len(value) <= TAG_LENGTH for value in tags.values())
    names = tags["experiment"].split(", ")
    assert names[0] == "…"
    assert names[1:] == [each.experiment for each in many[-len(names) + 1 :]]
    assert len(names) > 400
    assert revision_tags(Result(TASK, {}, many[:3]))["experiment"].count(",") == 2
