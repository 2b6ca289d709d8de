"""A model of all folds, from training to champion: one answer a row, and intervals over all groups."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import polars as pl
import pytest
from safetensors.numpy import load_file, save_file
from tests import stories
from tests.conftest import TASK, Project
from tests.project import DATA
from tests.stories import kinds
from tests.templates import copied

from assay.lookup import find_task
from assay.registry.ledger import entries
from assay.registry.promotion_context import PromotionContext
from assay.registry.promotion_gates import better, served, subjects
from assay.registry.versions import versions
from assay.runs.scores import read_scores

FOLDS = 4
pytestmark = pytest.mark.story


@pytest.fixture
def story() -> Path:
    return stories.folded()


@pytest.fixture
def told(story: Path) -> Project:
    return Project(story / "told")


@pytest.fixture
def said(story: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((story / "said.json").read_text(encoding="utf-8"))
    return found


def trainval(project: Project) -> pl.DataFrame:
    return pl.read_parquet(project.folder / f"data/{DATA}/trainval.parquet")


def test_every_row_is_scored_and_every_group_counts(told: Project, said: dict[str, str]) -> None:
    table, scores = trainval(told), told.scores(TASK)
    assert (scores["rows"], scores["folds"]) == (len(table), FOLDS)
    assert scores["groups"] == table["group_id"].n_unique()
    rests = f"{scores['groups']} patients ({scores['rows']} images), all {FOLDS} folds · phantom"
    assert re.search(re.escape(rests) + r" · last epoch \d\.\d\d \[", said["results"])
    assert rests in said["models"]
    assert re.search(r"epoch \d, \d, \d, \d of 3", said["models"])
    kept = pl.read_parquet(told.folder / f"reports/{TASK}/predictions.parquet")
    assert sorted(kept["sample_id"]) == sorted(table["sample_id"])
    assert len(kept["last"]) == len(table)


def test_with_a_champion_of_one_fold_only_its_rows_are_compared(
    told: Project, said: dict[str, str]
) -> None:
    table = trainval(told)
    own = table.filter(fold=0)["group_id"].n_unique()
    assert f"on the same {own} patients" in said["compared"]
    assert f"Left out: {len(table.filter(pl.col('fold') != 0))} only in A" in said["compared"]
    assert re.search(r"last epochs: A \d\.\d\d, B \d\.\d\d, A − B [+−]0\.\d\d \[", said["compared"])
    assert re.search(r"train\.fold +all +0", said["compared"])
    assert re.search(
        rf"better: MAE .* on the same {own} patients .*, by the last epoch", said["promote"]
    )


def test_without_a_champion_the_promotion_rests_on_all_groups(told: Project) -> None:
    case = PromotionContext(told.folder, versions(told.folder, TASK)[1], None)
    count = trainval(told)["group_id"].n_unique()
    assert subjects(case).found.startswith(f"{count} patients")
    assert subjects(case).passed
    assert f"the trivial predictor on the same {count} patients" in better(case).found
    # Of files without a last epoch the best decides, and says what it is.
    before = PromotionContext(told.folder, case.candidate, None)
    before.__dict__["rows"] = replace(case.rows, last=None)
    assert better(before).found.endswith("by the best epoch, which these rows chose")


def test_a_look_was_taken_by_all_folds_together(told: Project, said: dict[str, str]) -> None:
    assert f"champion → v2 · previous → v1 · pinned by {TASK}/v2" in said["promote"]
    assert kinds(told)[-4:] == ["candidate", "look", "scores", "promotion"]
    task, last = find_task(TASK), [e for e in entries(told.folder) if e.kind == "scores"][-1]
    test = pl.read_parquet(told.folder / f"data/{DATA}/test.parquet")
    # The trivial predictor, as the model, knows the labels of all folds.
    trivial = float(np.mean(np.abs(test["hb"].to_numpy() - trainval(told)["hb"].mean())))
    assert last.facts["scores"]["baseline"]["mae"] == pytest.approx(trivial, rel=1e-5)
    assert task.headline.metric == "mae"


def test_the_registered_model_says_what_all_say_or_one(told: Project) -> None:
    mlflow.set_tracking_uri(f"sqlite:///{told.folder}/.assay/mlflow/mlflow.db")
    model = mlflow.pyfunc.load_model(f"models:/{TASK}@champion")
    images = np.random.default_rng(0).integers(0, 255, (3, 32, 32, 3)).astype(np.uint8)
    each = [model.predict({"image": images}, params={"fold": fold}) for fold in range(FOLDS)]
    assert np.allclose(model.predict({"image": images}), np.mean(each, axis=0), rtol=1e-5)
    assert not np.allclose(each[0], each[1])
    other = mlflow.pyfunc.load_model(f"models:/{TASK}/1")
    assert other.metadata.get_params_schema() is None


def test_the_run_has_a_curve_of_the_mean_and_one_a_fold(told: Project) -> None:
    uri = f"sqlite:///{told.folder}/.assay/mlflow/mlflow.db"
    client = mlflow.MlflowClient(uri, uri)
    run = client.get_run(client.get_model_version_by_alias(TASK, "champion").run_id)
    assert run.data.params["train.fold"] == "all"
    mean, *folds = (
        [point.value for point in client.get_metric_history(run.info.run_id, f"{group}/mae")]
        for group in ("curve", *(f"fold-{fold}" for fold in range(FOLDS)))
    )
    assert len(mean) == 3
    assert mean == pytest.approx(np.mean(folds, axis=0))
    scores = read_scores(told.folder / f"reports/{TASK}/scores.csv")
    assert run.data.metrics["final/last"] == pytest.approx(scores["last"]["value"])


def test_folds_that_changed_places_are_not_served(story: Path, tmp_path: Path) -> None:
    """Together they say the same; each is another's, and was trained on what it is scored on."""
    project = copied(story / "told", tmp_path / "project")
    case = PromotionContext(project.folder, versions(project.folder, TASK)[1], None)
    rows = len(trainval(project))
    assert served(case).passed
    assert served(case).found.startswith(f"{rows} validation rows, at most ")
    own = (project.folder / f"models/{TASK}/weights.safetensors").read_bytes()
    stored = (project.folder / ".assay/mlflow/artifacts").rglob("weights.safetensors")
    [path] = [each for each in stored if each.read_bytes() == own]
    state = load_file(path)
    turned = {"fold-0.": "fold-1.", "fold-1.": "fold-0."}
    path.chmod(0o644)
    save_file({turned.get(n[:7], n[:7]) + n[7:]: tensor for n, tensor in state.items()}, path)
    check = served(case)
    assert not check.passed
    assert re.search(rf"{rows} validation rows, at most [0-9.]+ apart", check.found)


def test_a_task_that_cannot_combine_is_not_registered(
    story: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told before the ledger: as of the detector, whose boxes have no combination."""
    from assay.registry import register as registering
    from assay.systems.pills.tasks.detector import DETECTOR

    project = copied(story / "told", tmp_path / "project")
    before = entries(project.folder)
    combines = registering.ensure_combines
    monkeypatch.setattr(
        registering, "ensure_combines", lambda _, bundle: combines(DETECTOR, bundle)
    )
    words = project.assay("register", TASK, fails=True)
    assert f"{FOLDS} folds: its answers cannot be combined" in words
    assert "-S pills-detector.train.fold=0" in words
    assert entries(project.folder) == before
