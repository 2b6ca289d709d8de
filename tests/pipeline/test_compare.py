"""`assay compare`: two results on the same subjects, seed noise where measured, and what changed."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest
from tests import stories
from tests.conftest import DATA, TASK, Project
from tests.stories import CHANGED
from tests.templates import copied

from assay.registry.ledger import append
from assay.runs.scores import read_scores
from assay.tracking.entries import iter_lock_entries
from assay.tracking.results import Result, join_results


@pytest.fixture
def compared(tmp_path: Path) -> Project:
    return copied(stories.compared(), tmp_path / "project")


def result(project: Project, experiment: str) -> Result:
    return next(
        each
        for each in join_results(iter_lock_entries(project.folder))
        if any(sighting.experiment == experiment for sighting in each.sightings)
    )


def mae(project: Project, experiment: str) -> float:
    digest = result(project, experiment).outs[f"reports/{TASK}/scores.csv"]
    return float(read_scores(project.cached(digest))["mae"]["value"])


def run_id(project: Project, experiment: str) -> str:
    import mlflow

    uri = f"sqlite:///{project.folder}/.assay/mlflow/mlflow.db"
    client = mlflow.MlflowClient(uri, uri)
    place = client.get_experiment_by_name(TASK).experiment_id
    [run] = client.search_runs([place], f"tags.experiment = '{experiment}'")
    return str(run.info.run_id)


def test_seeds_on_the_same_subjects(compared: Project) -> None:
    """Equal but for the seed: the difference is the files' own, and beside it what seeds differ by."""
    said = compared.assay("compare", "seven", "eight")
    committed = compared.scores(TASK)["mae"]["value"]
    seven, eight = mae(compared, "seven"), mae(compared, "eight")
    spread = max(seven, eight, committed) - min(seven, eight, committed)
    assert f"A  experiment seven on {compared.run('git', 'rev-parse', 'HEAD')[:7]}" in said
    assert re.search(rf"mae +{seven:.2f} +{eight:.2f}", said)
    line = next(line for line in said.splitlines() if line.startswith("MAE "))
    assert line.startswith(f"MAE {seven - eight:+.2f} [".replace("-", "−"))
    assert f", 3 seeds differ by {spread:.2f}: " in line
    assert "The validation sets differ" not in said
    assert re.search(r"params  train\.seed +7 +8", said)
    assert "the same in both: data, code, environment" in said


def test_the_best_of_the_known_results_is_said_to_be_it(compared: Project) -> None:
    """Nobody noted how many were tried; `other` was scored on other rows, and does not count."""
    committed = compared.scores(TASK)["mae"]["value"]
    known = {"seven": mae(compared, "seven"), "eight": mae(compared, "eight"), "HEAD": committed}
    best, *_, worst = sorted(known, key=lambda name: known[name])
    said = compared.assay("compare", worst, best)
    assert "B: the best of 3 is optimistic\n" in said
    assert "A: the best of" not in said
    line = compared.assay("results", TASK)
    assert ("the best of 3 is optimistic" in line) == (best == "HEAD")
    if best != "HEAD":
        compared.dvc("exp", "apply", best)
        assert "the best of 3 is optimistic" in compared.assay("results", TASK)


def test_a_name_means_the_same_as_its_run_commit_and_version(compared: Project) -> None:
    by_name = compared.assay("compare", "seven", "HEAD").splitlines()
    digest = result(compared, "seven").digest
    facts = {"task": TASK, "version": 1, "result": digest, "files": {"w": "1"}, "record": "r"}
    append(
        compared.folder, "candidate", TASK, {**facts, "commit": result(compared, "seven").record}
    )
    for name in (run_id(compared, "seven")[:6], f"{TASK}/v1"):
        said = compared.assay("compare", name, ".").splitlines()
        assert said[3:] == by_name[3:], name  # all but the two names


def test_other_data_code_and_parameters_are_named(compared: Project) -> None:
    said = compared.assay("compare", "other", "HEAD")
    assert "The validation sets differ; only what they share is compared. Left out: " in said
    assert f"  STOP  sets: A's own MAE {mae(compared, 'other'):.2f} [" in said
    assert " images): of different sets, not to be compared\n" in said
    assert re.search(r"params  train\.epochs +2 +3", said)
    assert re.search(rf"data  {re.escape(DATA)}\.split\.folds +3 +4", said)
    assert re.search(r"data  split_digest +\w{16} +\w{16}", said)
    assert re.search(rf"code  {CHANGED} +\w{{8}} +\w{{8}}", said)
    assert "seeds of B differ by" in said  # A's configuration has one seed
    assert "the same in both: environment" in said
    changed = [line for line in said.splitlines() if line.startswith("  src/")]
    assert changed == [f"  {CHANGED} +1 −0"]


def test_what_cannot_be_compared_is_refused(compared: Project, tmp_path: Path) -> None:
    said = compared.assay("compare", "sevn", "eight", fails=True)
    assert "error: sevn: no result has this name" in said
    assert "expected: for example seven" in said
    digest = result(compared, "other").outs[f"reports/{TASK}/predictions.parquet"]
    predictions = compared.folder / f".dvc/cache/files/md5/{digest[:2]}/{digest[2:]}"
    table = pl.read_parquet(predictions)
    predictions.unlink()
    # No sample of one is in the other.
    renamed = table.with_columns(sample_id="other-" + pl.col("sample_id"))
    renamed.write_parquet(predictions)
    said = compared.assay("compare", "other", "HEAD", fails=True)
    assert re.search(r"params  train\.epochs +2 +3", said)  # what changed is told all the same
    assert "0 group(s) in common: 0 common rows of " in said
    compared.run("git", "clone", "-q", str(compared.folder), str(tmp_path / "clone"))
    said = Project(tmp_path / "clone").assay("compare", "HEAD", "HEAD", fails=True)
    assert "its predictions are not in the DVC cache of this clone" in said
