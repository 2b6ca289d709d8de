"""Files are the truth, MLflow is a projection: runs, experiments, clones, candidates."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import stories, templates
from tests.conftest import DATA, TASK, Project
from tests.templates import copied

EPOCHS = f"{TASK}.train.epochs"


class Store:
    """Reads a project's MLflow store as the UI does."""

    def __init__(self, project: Project) -> None:
        import mlflow

        uri = f"sqlite:///{project.folder}/.assay/mlflow/mlflow.db"
        self.client = mlflow.MlflowClient(uri, uri)

    def runs(self) -> list[Any]:
        experiment = self.client.get_experiment_by_name(TASK)
        return list(self.client.search_runs([experiment.experiment_id]))


@pytest.fixture
def store(synced: Project) -> Store:
    return Store(synced)


def test_a_run_shows_everything(synced: Project, store: Store) -> None:
    [run] = store.runs()
    assert run.info.status == "FINISHED"
    assert run.data.params["train.epochs"] == "3"
    curve = store.client.get_metric_history(run.info.run_id, "curve/valid_loss")
    assert [point.step for point in curve] == [0, 1, 2]
    scores = synced.scores(TASK)
    assert run.data.metrics["final/mae"] == scores["mae"]["value"]
    assert run.data.metrics["final_interval/skill.low"] == scores["skill"]["low"]
    inputs = {each.dataset.name: each.dataset.digest for each in run.inputs.dataset_inputs}
    lock = (synced.folder / "dvc.lock").read_text()
    assert set(inputs) == {f"data/{DATA}/trainval.parquet", f"data/{DATA}/trainval.npy"}
    assert all(digest in lock for digest in inputs.values())
    pictures = {file.path for file in store.client.list_artifacts(run.info.run_id, "pictures")}
    names = ("scatter.png", "bland_altman.png", "predictions.csv")
    assert pictures == {f"pictures/{name}" for name in names}
    tags = run.data.tags
    head = synced.run("git", "rev-parse", "HEAD").strip()
    assert tags["mlflow.source.git.commit"] == head
    assert tags["stage"] == f"train@{TASK}"
    assert tags["code"] in lock
    assert tags["dirty"] == "no"
    assert tags["group_kind"] == "patient"
    assert tags["provenance"] == "stated"
    assert "images) · phantom" in tags["mlflow.note.content"]


def test_sync_is_idempotent(synced: Project, store: Store) -> None:
    assert synced.assay("sync").startswith("0 run(s) added, 1 known")
    assert len(store.runs()) == 1


@pytest.fixture
def experimented(tmp_path: Path) -> Project:
    return copied(stories.experimented(), tmp_path / "project")


def test_experiments_in_place_and_in_temp_land_in_one_store(experimented: Project) -> None:
    named = {run.info.run_name: run for run in Store(experimented).runs()}
    baseline = experimented.run("git", "rev-parse", "HEAD").strip()
    for name, epochs in (("short", "2"), ("long", "4")):
        assert named[name].data.params["train.epochs"] == epochs
        assert named[name].data.tags["experiment"] == name
        assert named[name].data.tags["baseline"] == baseline
    assert named["short"].data.tags["dirty"] == "no"
    assert stories.CHANGED in named["long"].data.tags["dirty"]


def test_dvc_shows_compares_and_applies_experiments(experimented: Project) -> None:
    shown = experimented.dvc("exp", "show", "--csv", "--no-pager")
    assert "short" in shown
    assert "long" in shown
    assert "train.epochs" in experimented.dvc("exp", "diff", "short", "long", "--md")
    experimented.dvc("exp", "apply", "long")
    history = (experimented.folder / f"models/{TASK}/history.csv").read_text()
    assert len(history.splitlines()) == 5
    assert "conj_mae" in experimented.dvc("metrics", "diff", "--md")
    experimented.dvc("plots", "diff", "HEAD", "-o", "dvc_plots")
    assert TASK in (experimented.folder / "dvc_plots/index.html").read_text()


def test_a_cached_experiment_still_shows_its_run(experimented: Project) -> None:
    """DVC skips every command of a repeated experiment; the run is there all the same."""
    shutil.rmtree(experimented.folder / ".assay")
    said = experimented.dvc("exp", "run", "--temp", "-n", "again", "-S", f"{EPOCHS}=2")
    assert "Running stage" not in said
    assert experimented.assay("sync").startswith("3 run(s) added")
    runs = Store(experimented).runs()
    [repeated] = [run for run in runs if run.data.params["train.epochs"] == "2"]
    assert set(repeated.data.tags["experiment"].split(", ")) == {"short", "again"}


def test_a_clone_with_the_cache_gets_all_runs_back(experimented: Project, tmp_path: Path) -> None:
    before = {run.data.tags["assay.result"]: run.data for run in Store(experimented).runs()}
    experimented.run("git", "clone", "-q", str(experimented.folder), str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone")
    shutil.copytree(experimented.folder / ".dvc/cache", clone.folder / ".dvc/cache")
    assert clone.assay("sync").startswith("3 run(s) added")
    after = {run.data.tags["assay.result"]: run.data for run in Store(clone).runs()}
    assert {key: data.metrics for key, data in after.items()} == {
        key: data.metrics for key, data in before.items()
    }
    assert {key: data.params for key, data in after.items()} == {
        key: data.params for key, data in before.items()
    }


def test_a_clone_without_the_cache_says_what_is_missing(finished: Project, tmp_path: Path) -> None:
    finished.run("git", "clone", "-q", str(finished.folder), str(tmp_path / "clone"))
    said = Project(tmp_path / "clone").assay("sync")
    assert "0 run(s) added, 0 known, 1 known to git but not in the DVC cache" in said


def test_a_candidate_is_code_and_safetensors(synced: Project, store: Store) -> None:
    said = synced.assay("register", TASK)
    assert f"{TASK} v1 registered; alias candidate → v1" in said
    assert "v1 was registered already" in synced.assay("register", TASK)
    version = store.client.get_model_version_by_alias(TASK, "candidate")
    assert version.tags["commit"] == synced.run("git", "rev-parse", "HEAD").strip()
    [run] = store.runs()
    assert version.run_id == run.info.run_id
    stored = list((synced.folder / ".assay/mlflow/artifacts").rglob("*"))
    assert any(path.name == "weights.safetensors" for path in stored)
    assert not [path for path in stored if path.suffix in (".pkl", ".pt", ".pth")]
    code = (
        "import mlflow, numpy as np, polars as pl, json, warnings\n"
        f"mlflow.set_tracking_uri('sqlite:///{synced.folder}/.assay/mlflow/mlflow.db')\n"
        f"model = mlflow.pyfunc.load_model('models:/{TASK}@candidate')\n"
        f"rows = pl.read_parquet('data/{DATA}/trainval.parquet')\n"
        f"images = np.load('data/{DATA}/trainval.npy')[(rows['fold'] == 0).to_numpy()]\n"
        "print(json.dumps(model.predict({'image': images})[:, 0].tolist()))\n"
        "try: model.predict({'image': images[:, :8]})\n"
        "except mlflow.MlflowException: print('refused')\n"
    )
    place = {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
    printed = synced.run("python", "-c", code, **place).splitlines()
    import polars as pl

    expected = pl.read_parquet(synced.folder / f"reports/{TASK}/predictions.parquet")["prediction"]
    values = next(line for line in printed if line.startswith("["))
    assert np.allclose(eval(values), expected.to_numpy()[:, 0], atol=1e-5)
    assert "refused" in printed


def test_an_uncommitted_or_stale_model_is_no_candidate(finished: Project) -> None:
    finished.set(**{EPOCHS: 2})
    assert "not committed: M params.yaml" in finished.assay("register", TASK, fails=True)
    finished.commit("Change a knob, train nothing")
    said = finished.assay("register", TASK, fails=True)
    assert f"train@{TASK}" in said
    assert f"mend: dvc repro evaluate@{TASK}" in said


def test_a_copied_project_knows_nothing_of_where_its_template_lies(synced: Project) -> None:
    """Otherwise a test would write into what the next one begins with."""
    with closing(sqlite3.connect(synced.folder / ".assay/mlflow/mlflow.db")) as base:
        content = "\n".join(base.iterdump())
    assert str(synced.folder) in content
    assert str(templates.HOME) not in content
