"""Pills through DVC: two tasks put together, seen in MLflow, used on files; a stage that is not open."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from tests import stories
from tests.conftest import Project
from tests.stories import CLASSIFIER, COMBO, DETECTOR
from tests.templates import copied

from assay.registry.curriculum import CURRICULUM
from assay.registry.ledger import append


@pytest.fixture
def composed(tmp_path: Path) -> Project:
    return copied(stories.composed(), tmp_path / "project")


def test_the_pipeline_is_a_run_of_its_own(composed: Project) -> None:
    import mlflow

    assert composed.assay("sync").startswith("3 run(s) added, 0 known")
    assert composed.assay("sync").startswith("0 run(s) added, 3 known")
    uri = f"sqlite:///{composed.folder}/.assay/mlflow/mlflow.db"
    client = mlflow.MlflowClient(uri, uri)
    experiment = client.get_experiment_by_name(COMBO)
    assert experiment is not None
    [run] = client.search_runs([experiment.experiment_id])
    scores = composed.json(f"reports/{COMBO}/metrics.json")
    assert run.data.metrics["final/f1"] == scores["f1"]["value"]
    assert run.data.metrics["final_interval/f1.low"] == scores["f1"]["low"]
    assert run.data.metrics["latency/combo.p95"] >= run.data.metrics["latency/combo.median"] > 0
    assert run.data.params["use.conf"] == "0.3"
    assert run.data.tags["stage"] == f"pipeline@{COMBO}"
    assert "vs mean box, commonest drug" in run.data.tags["mlflow.note.content"]
    pictures = {file.path for file in client.list_artifacts(run.info.run_id, "pictures")}
    assert pictures
    assert f"{COMBO}  " in composed.assay("results", COMBO)
    assert "0 findings" in composed.assay("doctor")


def test_what_was_left_out_stands_in_every_record(composed: Project) -> None:
    for name in (DETECTOR, CLASSIFIER, COMBO):
        assert composed.json(f"models/{name}/run.json")["data"]["skipped"] == {"broken": 1}


def test_a_composed_checkout_runs_nothing_again(composed: Project) -> None:
    said = composed.dvc("repro", f"pipeline@{COMBO}", f"evaluate@{CLASSIFIER}")
    assert "Running stage" not in said
    assert composed.run("git", "status", "--porcelain") == ""


def test_both_modes_say_what_is_on_a_file(composed: Project) -> None:
    [photograph, *_] = sorted(composed.folder.glob(".assay/phantom/**/single/**/*.png"))
    name = str(photograph.relative_to(composed.folder))
    told = {
        mode: json.loads(
            composed.assay("predict", "pills", name, "--mode", mode, "--json").splitlines()[-1]
        )
        for mode in ("single", "combo")
    }
    assert {each["mode"] for each in told.values()} == {"single", "combo"}


def test_a_pill_that_a_photograph_lacks_is_not_called_sealed(composed: Project) -> None:
    [sample, *_] = pl.read_parquet(composed.folder / "data/pills/trainval.parquet")["sample_id"]
    said = composed.assay("show", "pills", f"{sample}#99", fails=True)
    assert "no such sample" in said
    assert "sealed" not in said


def test_a_later_stage_is_not_open(composed: Project) -> None:
    """Not in another folder, not for a training whose data somebody else had; a verdict opens it."""
    other = ("exp", "run", "--temp", "-S", "pills.ingest.stage=2", "ingest@pills")
    said = composed.dvc(*other, fails=True)
    assert "stage 1 has no verdict" in said
    assert "assay curriculum pills" in said
    assert "Traceback" not in said
    composed.set(**{"pills.ingest.stage": 2})
    said = composed.dvc("repro", "-f", "-s", f"train@{CLASSIFIER}", fails=True)
    assert "stage 1 has no verdict" in said
    composed.run("git", "checkout", "-q", "params.yaml")
    facts = {"stage": 1, "source": "phantom", "listing_digest": "", "refused": {}}
    append(composed.folder, CURRICULUM, "a verdict", {"data": "pills", **facts})
    assert "has no verdict" not in composed.dvc(*other)
