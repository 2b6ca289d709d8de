"""Real `dvc` that starts real stages: what only processes can prove; the rest of the suite calls them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests import stories
from tests.conftest import DATA, ROOT, TASK, Project
from tests.stories import EPOCHS, other_code

pytestmark = pytest.mark.dvc
MADE = ("data", "models", "reports")


def test_processes_leave_the_bytes_that_calls_leave_and_a_second_repro_runs_nothing(
    fresh: Project,
) -> None:
    """The whole pipeline, by dvc and seven processes; then nothing to do."""
    said = fresh.run("dvc", "repro")
    assert said.count("Running stage") == 8
    called = Project(stories.finished())
    assert fresh.bytes_of(*MADE) == called.bytes_of(*MADE)
    assert (fresh.folder / "dvc.lock").read_text() == (called.folder / "dvc.lock").read_text()
    fresh.commit("Train")
    said = fresh.run("dvc", "repro")
    assert "Running stage" not in said
    assert said.count("didn't change, skipping") == 8


def test_outputs_hold_no_clock_host_or_experiment(finished: Project) -> None:
    """Run all stages again by force: every output has the bytes that it had."""
    before = finished.bytes_of(*MADE)
    finished.run("dvc", "exp", "run", "-f", "-n", "again")
    assert finished.bytes_of(*MADE) == before
    assert "modified:   dvc.lock" not in finished.run("git", "status")


def test_training_and_evaluation_never_read_the_test_set(finished: Project) -> None:
    """With the sealed files destroyed, both stages give the same bytes."""
    before = finished.bytes_of("models", "reports")
    for name in ("test.parquet", "test.npy", "manifest.parquet", "splits.parquet"):
        path = finished.folder / "data" / DATA / name
        path.unlink()
        path.write_bytes(b"sealed")
    finished.run("dvc", "repro", "-f", "-s", f"train@{TASK}", f"evaluate@{TASK}")
    assert finished.bytes_of("models", "reports") == before


def test_an_experiment_of_its_own_folder_runs_that_folders_code(finished: Project) -> None:
    with other_code(finished):
        said = finished.run("dvc", "exp", "run", "--temp", "-n", "long", "-S", f"{EPOCHS}=4")
    assert "[OWN]" in said  # that folder's source, not the installed one


def test_a_misspelt_key_stops_before_anything_runs(finished: Project) -> None:
    said = finished.run("dvc", "exp", "run", "-S", f"{TASK}.train.epoch=2", fails=True)
    assert "Key 'epoch' is not in struct" in said
    assert "Running stage" not in said


def test_a_clone_pulls_and_has_all_runs(finished: Project, tmp_path: Path) -> None:
    finished.run("dvc", "remote", "add", "-q", "-d", "shelf", str(tmp_path / "shelf"))
    # For a commit that does not name it, dvc pushes nothing.
    finished.run("git", "commit", "-q", "-a", "--amend", "--no-edit")
    finished.set(**{EPOCHS: 2})
    finished.dvc("repro", f"evaluate@{TASK}")
    finished.commit("Train for less long")
    finished.run("dvc", "push", "-q", "--run-cache", "--all-commits")
    finished.run("git", "clone", "-q", str(finished.folder), str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone")
    said = clone.own("sync")
    assert "0 run(s) added, 0 known, 2 known to git but not in the DVC cache" in said
    assert "dvc pull --run-cache --all-commits" in said
    clone.run("dvc", "pull", "-q", "--run-cache", "--all-commits")
    assert clone.own("sync").startswith("2 run(s) added, 0 known")
    assert "Running stage" not in clone.run("dvc", "repro")


def test_a_stage_runs_only_within_dvc_and_with_its_own_code(finished: Project) -> None:
    stage = ("-m", "assay.stages", "train")
    said = finished.run("python", *stage, fails=True, PYTHONPATH="src")
    assert "a stage runs within dvc" in said
    place = {"DVC_STAGE": f"train@{TASK}", "DVC_ROOT": str(finished.folder)}
    said = finished.run("python", *stage, fails=True, PYTHONPATH=str(ROOT / "src"), **place)
    assert "assay is imported from" in said
    # The interpreter below this environment: none of the locked libraries is there.
    bare = str(Path(sys.base_prefix) / "bin" / "python3")
    said = finished.run(bare, *stage, fails=True, PYTHONPATH="src", **place)
    assert "torch none (locked: 2." in said
    assert "Traceback" not in said
    lock = finished.folder / "requirements.lock"
    lock.write_text(lock.read_text().replace("timm==", "timm==0."))
    said = finished.run("dvc", "repro", fails=True)
    assert "timm" in said
    assert "make environment" in said


def test_two_at_once_give_what_one_gives(finished: Project, tmp_path: Path) -> None:
    """Two experiments in folders of their own, one of them the other's equal."""
    logs = [tmp_path / f"{name}.log" for name in ("a", "b")]
    command = ("dvc", "exp", "run", "--temp", "-S", f"{EPOCHS}=2", "-n")
    both = [
        finished.start(*command, name, log=log) for name, log in zip(("a", "b"), logs, strict=True)
    ]
    codes = [process.wait(timeout=300) for process in both]
    assert codes == [0, 0], "\n".join(log.read_text() for log in logs)
    records = {
        name: finished.run("git", "show", f"{commit}:dvc.lock")
        for commit, name in (
            line.split() for line in finished.run(
                "git", "for-each-ref", "--format=%(objectname) %(refname:lstrip=4)", "refs/exps"
            ).splitlines() if len(line.split()) == 2
        )
    }  # fmt: skip
    assert records["a"] == records["b"]
    assert "run(s) added" in finished.assay("sync")


def test_mlflow_run_runs_the_same_stages(finished: Project) -> None:
    finished.set(**{f"{TASK}.evaluate.n_resamples": 110})
    finished.commit("Change a knob")
    uri = f"sqlite:///{finished.folder}/mlflow.db"
    said = finished.run(
        "mlflow", "run", ".", "--env-manager", "local", "-P", f"target=evaluate@{TASK}",
        MLFLOW_TRACKING_URI=uri,
    )  # fmt: skip
    assert f"Running stage 'evaluate@{TASK}'" in said
    assert f"Stage 'train@{TASK}' didn't change" in said
