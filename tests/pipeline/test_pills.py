"""Pills through DVC: two tasks put together, seen in MLflow, used on files; a stage that is not open."""

from __future__ import annotations

import json
import re
from pathlib import Path

import polars as pl
import pytest
from tests import stories
from tests.conftest import Project
from tests.stories import CLASSIFIER, COMBO, DETECTOR
from tests.templates import copied

from assay.registry.curriculum import CURRICULUM
from assay.registry.ledger import append
from assay.registry.versions import versions
from assay.runs.files import file_digest
from assay.runs.record import RECORD, WEIGHTS


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
    scores = composed.scores(COMBO)
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


GATES = ("ledger", "content", "served", "verdicts", "source", "looks")


def promoted(project: Project, name: str) -> str:
    """Register and promote what so small a set cannot prove better; return what the door said."""
    assert f"{name} v1 registered; alias candidate → v1" in project.assay("register", name)
    said = project.assay("promote", name, *stories.OVERRULED)
    for gate in GATES:
        assert re.search(rf"^  ok    {gate}: \S+", said, re.MULTILINE), said
    assert f"{name}: champion → v1" in said
    return said


def test_a_pipeline_is_registered_promoted_looked_at_and_compared(composed: Project) -> None:
    said = promoted(composed, COMBO)
    for part in (DETECTOR, CLASSIFIER):
        assert f"preflight of {part} passed" in said
    assert re.search(r"better: F1 .* against the trivial predictor .*, no seeds measured", said)
    assert "test set, look 1 of 5: F1 " in said
    assert "vs mean box" not in said.rpartition("test set")[2]
    version, *_ = versions(composed.folder, COMBO)
    parts = [f"{part}/{name}" for part in (DETECTOR, CLASSIFIER) for name in (WEIGHTS, RECORD)]
    assert sorted(version.files) == sorted(parts)
    for name, digest in version.files.items():
        assert file_digest(composed.folder / "models" / name) == digest
    shown = composed.assay("models")
    assert f"{COMBO}/v1  champion" in shown
    assert f"made of: {DETECTOR}, {CLASSIFIER} · conf 0.3" in shown
    said = composed.assay("compare", f"{COMBO}@champion", ".", "--task", COMBO)
    assert f"{COMBO}, on validation rows" in said
    assert "A and B are one and the same result" in said
    # In MLflow it is one model, of all its files; its signature is what its record states.
    import mlflow

    uri = f"sqlite:///{composed.folder}/.assay/mlflow/mlflow.db"
    client = mlflow.MlflowClient(uri, uri)
    assert int(client.get_model_version_by_alias(COMBO, "champion").version) == 1
    [model] = (composed.folder / ".assay/mlflow/artifacts" / COMBO).rglob("MLmodel")
    held = model.parent / "artifacts/bundle"
    assert sorted(str(p.relative_to(held)) for p in held.rglob("*.*")) == sorted([*parts, RECORD])
    signature = mlflow.models.Model.load(str(model)).signature
    assert {each.name for each in signature.inputs} == {"image", "width", "height"}
    assert signature.outputs.inputs[0].shape == (-1, 12 * 7 + 2)
    assert composed.assay("sync").splitlines()[-1].startswith("0 run(s) added, 3 known")
    assert "0 findings" in composed.assay("doctor")


def test_a_task_that_cuts_is_served_photographs(composed: Project) -> None:
    """Its registered model is handed photographs with their boxes, and says what every pill is."""
    said = promoted(composed, CLASSIFIER)
    record = composed.json(f"models/{CLASSIFIER}/run.json")
    assert record["model"]["views"] == {"image": [64, 64, 3]}
    assert record["model"]["reads"]["boxes"] == {"dtype": "float64", "shape": [-1, 4]}
    pills = pl.read_parquet(composed.folder / f"reports/{CLASSIFIER}/predictions.parquet")
    photographs = pills["sample_id"].str.split("#").list.first().n_unique()
    assert len(pills) > photographs
    assert f"served: {photographs} validation rows, at most " in said


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
