"""`assay search` as a person runs it: a study, its recipe in git, its runs in MLflow, applied."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests import stories
from tests.conftest import DATA, TASK, Project
from tests.stories import STUDY
from tests.templates import copied

from assay.search.record import TRIAL
from assay.tracking.sync import RESULT
from assay.tracking.sync import STUDY as OF_STUDY


@pytest.fixture
def searched(tmp_path: Path) -> Project:
    return copied(stories.searched() / "project", tmp_path / "project")


@pytest.fixture
def said() -> str:
    return (stories.searched() / "said.txt").read_text()


def runs(project: Project) -> dict[str, list[str]]:
    """Return the study's runs: the kind of each, and how many points it holds."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{project.folder / '.assay/mlflow/mlflow.db'}")
    [found] = [each for each in client.search_experiments() if each.name == TASK]
    listed: dict[str, list[str]] = {}
    for run in client.search_runs([found.experiment_id]):
        tags = run.data.tags
        if OF_STUDY in tags:
            points = sum(
                len(client.get_metric_history(run.info.run_id, name)) for name in run.data.metrics
            )
            kind = "trial" if TRIAL in tags else "study"
            facts = f"{run.info.status} {points} points, {len(run.data.params)} params"
            if kind == "study":
                pictures = client.list_artifacts(run.info.run_id, "pictures")
                facts += f", {len(pictures)} pictures"
            listed.setdefault(kind, []).append(facts)
        else:
            assert RESULT in tags
    return listed


def half_built(project: Project) -> None:
    """Leave one trial's run as a kill before its last call does."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{project.folder / '.assay/mlflow/mlflow.db'}")
    experiments = [each.experiment_id for each in client.search_experiments()]
    run = client.search_runs(experiments, f"tags.`{TRIAL}` = '1'")[0]
    client.update_run(run.info.run_id, status="RUNNING")


def test_a_study_ends_as_a_recipe(said: str, searched: Project) -> None:
    assert re.search(
        r"^\[1/2\] trial \d: mae [\d.]+ · 1 running, 0 failed · best .* · \d+ s a trial, \d+ s left$",
        said,
        re.MULTILINE,
    )
    assert re.search(
        r"^\[2/2\] trial \d: mae [\d.]+ · 0 running, 0 failed · best mae [\d.]+ \(trial \d\) · \d+ s",
        said,
        re.MULTILINE,
    )
    assert "is away" in said  # and the study ended all the same
    assert "later: assay sync" in said
    recipe = (searched.folder / "recipes" / TASK / f"{STUDY}.yaml").read_text()
    assert f"{TASK}.evaluate.best_of: 2\n" in recipe
    table = (searched.folder / "recipes" / TASK / f"{STUDY}.csv").read_text().splitlines()
    assert len(table) == 3
    assert f"?? recipes/{TASK}/" in searched.run("git", "status", "--porcelain")
    line = said.partition("it runs:\n")[2].partition("\n")[0]
    assert line.startswith(f"dvc exp run -n {STUDY} -S ")
    searched.run("git", "checkout", "params.yaml")
    assert searched.assay("run", f"{TASK}/{STUDY}", "--print").strip() == line
    page = (searched.folder / f"reports/{TASK}/search-{STUDY}.html").read_text()
    assert "http" not in page  # whole in one file
    assert page.count("data:image/png") >= 2


def test_sync_adds_every_trial_once(searched: Project) -> None:
    assert "2 trial(s) added" in searched.assay("sync")
    first = runs(searched)
    assert sorted(first) == ["study", "trial"]
    assert len(first["study"]) == 1
    assert len(first["trial"]) == 2
    assert all(each.startswith("FINISHED 30 points, 2 params") for each in first["trial"])
    assert first["study"][0].startswith("FINISHED 2 points")
    assert not first["study"][0].endswith(" 0 pictures")
    half_built(searched)  # as a kill between two calls leaves it
    assert "1 trial(s) added" in searched.assay("sync")
    assert runs(searched) == first
    searched.run("git", "checkout", "params.yaml")  # what the experiment changed
    command = (
        f"python -m assay search {TASK} --json 2> .assay/said.txt"  # the same: nothing is trained
    )
    facts = json.loads(searched.run("sh", "-c", command, PYTHONPATH="src"))
    assert (facts["done"], facts["total"], facts["ended"]) == (2, 2, None)
    assert "to be committed; it runs:" in (searched.folder / ".assay/said.txt").read_text()
    assert "trial(s) added" not in searched.assay("sync")
    assert runs(searched) == first


def test_the_number_of_trials_travels_with_the_result(said: str, searched: Project) -> None:
    applied = said.partition("to be committed; it runs:")[2]
    assert "Running stage 'train@" in applied
    assert "[EPOCH]" not in applied  # the best trial was the same job: its result is there
    assert searched.scores(TASK)["best_of"] == 2
    assert "the best of 2 is optimistic" in searched.assay("results", TASK)
    assert "best_of: 2" in searched.run("git", "diff", "params.yaml")


def test_what_is_not_up_to_date_or_not_there_is_told(searched: Project) -> None:
    before = sorted((searched.folder / ".assay/search").rglob("study.db"))
    assert "did you mean quick?" in searched.assay("search", TASK, "--study", "qick", fails=True)
    searched.set(**{f"{DATA}.split.seed": 43})
    said = searched.assay("search", TASK, fails=True)
    assert f"not up to date: split@{DATA}" in said
    assert f"mend: dvc repro leakage@{DATA}" in said
    assert sorted((searched.folder / ".assay/search").rglob("study.db")) == before
