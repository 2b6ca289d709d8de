"""A sweep trains every value once, tells what failed, and compares only what compares."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests import stories
from tests.conftest import DATA, TASK, Project
from tests.templates import copied

from assay.commands.sweep import _name
from assay.runs.scores import read_scores
from assay.stages import train
from assay.stages.launch import Stage

DROPOUT, EPOCHS = "model.dropout", f"{TASK}.train.epochs"

pytestmark = pytest.mark.story


def experiments(project: Project) -> set[str]:
    refs = project.run("git", "for-each-ref", "--format=%(refname:lstrip=-1)", "refs/exps")
    return set(refs.split())


def ranked(said: str) -> list[str]:
    """Return the values of the first table, best first."""
    table = said[said.index("best first") :].split(" compared:", maxsplit=1)[0]
    return re.findall(r"^ (\S+) +\d\.\d\d \[", table, flags=re.MULTILINE)


def metrics_of(project: Project, experiment: str) -> Any:
    """Read an experiment's metrics from the DVC cache, by the digest in its lock file."""
    ref = project.run("git", "for-each-ref", "--format=%(refname)", f"refs/exps/*/*/{experiment}")
    lock = YAML(typ="safe").load(project.run("git", "show", f"{ref.strip()}:dvc.lock"))
    outs = lock["stages"][f"evaluate@{TASK}"]["outs"]
    [digest] = [out["md5"] for out in outs if out["path"].endswith("scores.csv")]
    return read_scores(project.cached(digest))


@pytest.fixture
def swept(tmp_path: Path) -> Project:
    return copied(stories.swept() / "project", tmp_path / "project")


def test_a_value_that_fails_is_told_and_the_other_is_there(swept: Project) -> None:
    said = (stories.swept() / "said.txt").read_text()
    assert "[1/2] model.backbone=nosuchnet  failed" in said
    assert re.search(r"\[2/2\] model\.backbone=test_vit  done in \d+ s", said)
    assert "1 of 2 values failed" in said
    assert "error: model.backbone: timm has no 'nosuchnet'" in said
    assert set(ranked(said)) == {"test_resnet", "test_vit"}  # the committed result compares too
    assert "2 compared: the best of 2 is optimistic" in said
    assert experiments(swept) == {f"{TASK}-backbone-test_vit"}


def test_the_table_is_sorted_and_holds_the_files_numbers(swept: Project) -> None:
    said = swept.assay("results", TASK, "--over", "model.backbone")
    scores = {"test_resnet": swept.scores(TASK)}
    scores["test_vit"] = metrics_of(swept, f"{TASK}-backbone-test_vit")
    for value, each in scores.items():
        mae, skill = each["mae"], each["skill"]
        line = next(line for line in said.splitlines() if line.startswith(f" {value} "))
        assert f"{mae['value']:.2f} [{mae['low']:.2f}, {mae['high']:.2f}]" in line
        assert f"{skill['value']:.2f} [{skill['low']:.2f}, {skill['high']:.2f}]" in line
        assert f"{each['r2']['value']:.2f}" in line
        assert line.split()[-2:] == [str(each["groups"]), str(each["rows"])]
    by_rule = sorted(
        scores, key=lambda v: (scores[v]["r2"]["value"] <= 0, scores[v]["mae"]["value"])
    )
    assert ranked(said) == by_rule
    assert all(len(line) <= 100 for line in said.splitlines())


def test_a_second_sweep_trains_nothing(swept: Project) -> None:
    logs = sorted((swept.folder / ".assay/events").rglob("*"))
    said = swept.assay("sweep", TASK, "model.backbone", "test_vit")
    assert "[1/1] model.backbone=test_vit  known already" in said
    assert sorted((swept.folder / ".assay/events").rglob("*")) == logs
    assert experiments(swept) == {f"{TASK}-backbone-test_vit"}
    assert "several results" not in said


def test_other_data_stand_apart(swept: Project) -> None:
    """The sweep just made stands first; what was there before is ranked apart from it."""
    said = swept.assay("sweep", TASK, "model.backbone", "test_vit", "-S", f"{DATA}.split.seed=43")
    first, apart = said.split("\nNot comparable with the above")
    assert ranked(first) == ["test_vit"]
    assert "1 value: nothing to compare it with" in first
    assert apart.startswith(": other data (phantom)\n")
    assert "2 compared: the best of 2 is optimistic" in apart
    first, alone = swept.assay("results", TASK, "--over", "model.backbone").split("\nNot ")
    assert set(ranked(first)) == {"test_resnet", "test_vit"}  # of several, the longest ranking
    assert alone.startswith("comparable with the above, each on its own\n")
    assert "other data" in alone


def test_a_misspelt_key_is_refused_before_anything_runs(finished: Project) -> None:
    for arguments, near in (
        (("sweep", TASK, "model.backbon", "test_vit"), "model.backbone"),
        (("sweep", TASK, DROPOUT, "0.1", "-S", f"{TASK}.train.epoch=2"), "train.epochs"),
        (("results", TASK, "--over", "model.backbon"), "model.backbone"),
    ):
        said = finished.assay(*arguments, fails=True)
        assert "no such parameter" in said
        assert f"did you mean {TASK}.{near}?" in said
    assert experiments(finished) == set()
    assert not (finished.folder / ".assay/sweep").exists()


def test_a_failing_rerun_leaves_the_experiment_of_that_name(
    swept: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"refs/exps/*/*/{TASK}-backbone-test_vit"
    before = swept.run("git", "for-each-ref", name)
    stage = swept.folder / "src/assay/stages/train.py"
    stage.write_text(stage.read_text() + "# changed\n")

    def broken(stage: Stage) -> None:
        raise RuntimeError(stage.name)

    monkeypatch.setattr(train, "main", broken)
    said = swept.assay("sweep", TASK, "model.backbone", "test_vit", fails=True)
    assert f"RuntimeError: train@{TASK}" in said
    assert "1 of 1 values failed" in said
    assert swept.run("git", "for-each-ref", name) == before


@pytest.mark.kill
def test_a_killed_sweep_goes_on(swept: Project, tmp_path: Path) -> None:
    """Killed in a training: dvc and its stage die too, the same command resumes, and compares."""
    sweep = ("sweep", TASK, "model.backbone", "test_vit", "-S", f"{EPOCHS}=60")
    command = ("env", "PYTHONPATH=src", "python", "-m", "assay", *sweep)
    process = swept.start(*command, log=tmp_path / "said.log")
    end = time.monotonic() + 120

    def trained() -> str:
        found = (swept.folder / ".assay/sweep").glob(f"{TASK}-backbone-test_vit-*.log")
        return "".join(path.read_text() for path in found)

    while trained().count("[EPOCH]") < 2:
        assert time.monotonic() < end, (tmp_path / "said.log").read_text()
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    said = swept.run(*command)
    assert said.count("done in") == 1
    assert "going on from" in trained()
    assert not list((swept.folder / ".assay/resume").glob("*"))
    first, apart = said.split("\nNot comparable with the above")
    assert ranked(first) == ["test_vit"]
    assert apart.startswith(": train.epochs 3\n")
    assert "2 compared: the best of 2 is optimistic" in apart


def test_names_are_legal_and_differ() -> None:
    values = ["0.1", "[512,256]", "[512-256]", "a/b", "a..b", "x.lock", "-", "a b", "é"]
    names = [_name("t", "model.key", value, ()) for value in values]
    names.append(_name("t", "model.key", "0.1", ("t.train.epochs=2",)))
    assert names[0] == "t-key-0.1"
    assert len(set(names)) == len(names)
    for name in names:
        subprocess.run(["git", "check-ref-format", f"refs/exps/00/11/{name}"], check=True)
        assert "/" not in name
