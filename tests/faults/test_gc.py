"""Garbage collection frees what nothing names, and never what is promoted, registered or tagged."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests import stories
from tests.conftest import DATA, TASK, Project
from tests.project import until
from tests.templates import copied
from torch import nn

from assay.manifest.rows import Rows
from assay.registry.gc import DAY_S, old_experiments
from assay.registry.predictions import predict_with
from assay.registry.versions import find_version
from assay.runs.files import file_digest
from assay.runs.lock import held
from assay.tracking.lock_text import lock_entries

pytestmark = pytest.mark.story
NEEDED = (
    f"models/{TASK}/weights.safetensors",
    f"models/{TASK}/run.json",
    f"reports/{TASK}/predictions.parquet",
    f"data/{DATA}/test.parquet",
    f"data/{DATA}/test.npy",
)


@pytest.fixture
def lived_in(tmp_path: Path) -> Project:
    return copied(stories.lived_in(), tmp_path / "project")


def client_of(project: Project) -> Any:
    import mlflow

    uri = f"sqlite:///{project.folder}/.assay/mlflow/mlflow.db"
    return mlflow.MlflowClient(uri, uri)


def objects(project: Project) -> set[str]:
    folder = project.folder / ".dvc/cache/files/md5"
    return {path.parent.name + path.name for path in folder.glob("??/*")}


def outs_at(project: Project, revision: str) -> dict[str, str]:
    lock = project.run("git", "show", f"{revision}:dvc.lock")
    return {path: md5 for entry in lock_entries(lock) for path, md5 in entry.outs.items()}


def experiments(project: Project) -> set[str]:
    listing = project.run("git", "for-each-ref", "--format=%(refname)", "refs/exps").splitlines()
    return {ref.rpartition("/")[2] for ref in listing if len(ref.split("/")) == 5}


def littered(project: Project) -> list[Path]:
    """Leave what killed runs, sweeps and other sources leave."""
    folder = project.folder
    paths = [
        folder / ".assay/jobs/0123456789abcdef/work/batch-8/epoch-0004.ckpt",
        folder / ".assay/sweep/a.log",
        folder / f".assay/search/{TASK}/schedule-01234567/study.db",
        folder / f".assay/images/{DATA}-01234567/pixels.u8",
        folder / f".assay/images/{DATA}-01234567.lock",
        folder / f".assay/phantom/{DATA}-01234567/table.csv",
        folder / ".assay/fetched/01/0123",
        folder / ".assay/features/0123456789abcdef/features.bin",
        folder / ".dvc/tmp/exps/standalone/tmpkilled/params.yaml",
    ]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 100_000)
    return paths


def tried(project: Project) -> str:
    """Evaluate in another way, commit nothing, and go back; return the digest of the scores."""
    project.set(**{f"{TASK}.evaluate.n_resamples": 120})
    project.dvc("repro", f"evaluate@{TASK}")
    scores = project.folder / f"reports/{TASK}/scores.csv"
    digest = file_digest(scores)
    project.run("git", "reset", "-q", "--hard")  # DVC stages its lock
    project.dvc("checkout")
    assert file_digest(scores) != digest
    return digest


def files_below(folder: Path) -> dict[str, bytes]:
    """Return what is there, but for locks, DVC's notes, and what is kept of parsed locks."""
    found = [*(folder / ".assay").rglob("*"), *(folder / ".dvc/cache").rglob("*")]
    return {
        str(path): path.read_bytes()
        for path in found
        if path.is_file() and not {"locks", "history"} & set(path.parts)
    }


def test_it_frees_what_nothing_names_and_spares_the_rest(lived_in: Project, tmp_path: Path) -> None:
    folder = lived_in.folder
    named = [*folder.glob(".assay/images/*/*"), *folder.glob(".assay/phantom/*/*")]
    assert named  # by the manifest of every version
    litter = littered(lived_in)
    first, second = (outs_at(lived_in, find_version(folder, f"{TASK}/v{n}").commit) for n in (1, 2))
    other = next(
        each for each in lived_in.run("git", "for-each-ref", "--format=%(refname)").splitlines()
        if each.endswith("/other")
    )  # fmt: skip
    freed = outs_at(lived_in, other)[f"reports/{TASK}/scores.csv"]
    holders = lived_in.run("git", "for-each-ref", "--contains", f"{TASK}/v1", "--format=%(refname)")
    assert f"refs/tags/{TASK}/v1" in holders
    assert "refs/heads/" not in holders
    assert {first[path] for path in NEEDED} | {second[path] for path in NEEDED} | {
        freed
    } <= objects(lived_in)

    # Shown, and nothing freed.
    before, refs = files_below(folder), lived_in.run("git", "for-each-ref")
    said = lived_in.assay("gc", "--keep-days", "0")
    assert "chosen, other" in said
    assert "could be freed; nothing was: assay gc --apply" in said
    assert files_below(folder) == before
    assert lived_in.run("git", "for-each-ref") == refs

    experiment = client_of(lived_in).get_experiment_by_name(TASK).experiment_id
    assert len(client_of(lived_in).search_runs([experiment])) == 3
    assert lived_in.assay("gc", "--apply", "--keep-days", "0").splitlines()[-1].startswith("freed")
    assert not any(path.exists() for path in litter)
    assert all(path.exists() for path in named)
    assert experiments(lived_in) == set()
    assert freed not in objects(lived_in)
    runs = client_of(lived_in).search_runs([experiment])
    assert sorted(run.data.params["train.epochs"] for run in runs) == ["2", "3"]
    left = list((folder / ".assay/mlflow/artifacts").rglob("scores.csv"))
    assert len(left) == 2
    for number, outs in ((1, first), (2, second)):
        assert {outs[path] for path in NEEDED} <= objects(lived_in), f"v{number}"
    assert lived_in.run("git", "rev-parse", f"{TASK}/v1^{{commit}}").strip()
    assert "nothing to free" in lived_in.assay("gc", "--keep-days", "0")
    assert "0 findings" in lived_in.assay("doctor")
    assert "didn't change, skipping" in lived_in.dvc("repro", f"evaluate@{TASK}")

    # A clone that has not pulled all folders of all versions can collect what it has.
    gone = first[f"reports/{TASK}/pictures"]
    assert gone.endswith(".dir")
    if gone not in second.values():
        (folder / ".dvc/cache/files/md5" / gone[:2] / gone[2:]).unlink()
        lived_in.assay("gc", "--keep-days", "0")

    # A clone with that cache serves the champion.
    lived_in.run("git", "clone", "-q", str(folder), str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone")
    shutil.copytree(folder / ".dvc/cache", clone.folder / ".dvc/cache")
    assert "2 run(s) added" in clone.assay("sync")
    champion = client_of(clone).get_model_version_by_alias(TASK, "champion")
    weights = first[f"models/{TASK}/weights.safetensors"]
    assert champion.tags["files"] == f"weights.safetensors {weights}"
    place = client_of(clone).get_logged_model(champion.source.removeprefix("models:/"))
    assert list(Path(place.artifact_location.removeprefix("file://")).rglob("weights.safetensors"))


def test_a_version_that_no_branch_holds_outlives_every_collector(
    lived_in: Project, tmp_path: Path
) -> None:
    """v2 was never promoted; v3 came from a file, whose `.dvc` nobody committed."""
    torch.save(nn.Linear(4, 3).state_dict(), tmp_path / "old.pth")
    lived_in.assay("import", TASK, str(tmp_path / "old.pth"), "--text", "old")
    shutil.rmtree(lived_in.folder / "models/imported")
    lived_in.run("git", "checkout", "-q", "--detach", f"{TASK}/v1")
    lived_in.run("git", "branch", "-D", "main")
    lived_in.dvc("checkout")
    shutil.rmtree(lived_in.folder / ".assay/mlflow")
    lived_in.assay("gc", "--apply", "--keep-days", "0")
    imported = find_version(lived_in.folder, f"{TASK}/v3").files
    assert set(imported.values()) <= set(objects(lived_in))
    lived_in.dvc("gc", "-w", "-a", "-T", "-f")  # by hand; what no tag names is not spared
    lived_in.run("git", "reflog", "expire", "--expire=now", "--all")
    lived_in.run("git", "gc", "-q", "--prune=now")
    lived_in.run("git", "checkout", "-q", f"{TASK}/v2")
    lived_in.dvc("checkout")
    weights = lived_in.folder / f"models/{TASK}/weights.safetensors"
    assert find_version(lived_in.folder, f"{TASK}/v2").files == {weights.name: file_digest(weights)}
    assert "didn't change, skipping" in lived_in.dvc("repro", f"evaluate@{TASK}")
    lived_in.run("git", "tag", "-d", f"{TASK}/v2")
    lived_in.assay("sync")
    assert lived_in.run("git", "rev-parse", f"{TASK}/v2") == lived_in.run(
        "git", "rev-parse", "HEAD"
    )
    rows = Rows({"image": np.zeros((2, 32, 32, 3), np.uint8)}, {})
    model = lived_in.json(f"models/{TASK}/run.json")["model"]
    version = find_version(lived_in.folder, f"{TASK}/v2")
    assert predict_with(lived_in.folder, version, rows, model).shape[0] == 2


def test_what_is_young_stays(lived_in: Project) -> None:
    litter, scores = littered(lived_in), tried(lived_in)
    *old, young = litter
    for path in old:
        os.utime(path, (time.time() - 40 * DAY_S,) * 2)
    known = experiments(lived_in)
    held_before = objects(lived_in)
    lived_in.assay("gc", "--apply")
    assert [path for path in litter if path.exists()] == [young]
    assert experiments(lived_in) == known
    assert objects(lived_in) == held_before
    assert scores in held_before
    lived_in.assay("gc", "--apply", "--keep-days", "0")
    assert scores not in objects(lived_in)
    assert not young.exists()


def test_tags_spare_experiments(lived_in: Project) -> None:
    def old(before: float) -> set[str]:
        return {each.experiment for each in old_experiments(lived_in.folder, before)}

    now = time.time() + 1
    assert old(now - DAY_S) == set()
    assert old(now) == {"chosen", "other"}
    ref = next(
        each.ref for each in old_experiments(lived_in.folder, now) if each.experiment == "other"
    )
    scores = outs_at(lived_in, ref)[f"reports/{TASK}/scores.csv"]
    lived_in.run("git", "tag", "-a", "-m", "good", "good", ref)
    lived_in.assay("gc", "--apply", "--keep-days", "0")
    assert experiments(lived_in) == {"other"}
    assert scores in objects(lived_in)


def test_killed_half_way_it_goes_on(lived_in: Project, tmp_path: Path) -> None:
    scores = tried(lived_in)
    command = ("python", "-m", "assay", "gc", "--apply", "--keep-days", "0")
    process = lived_in.start(*command, log=tmp_path / "log")
    until(lambda: not experiments(lived_in))
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert "freed" in lived_in.assay(*command[3:])
    assert scores not in objects(lived_in)
    assert "nothing to free" in lived_in.assay("gc", "--keep-days", "0")
    assert "0 findings" in lived_in.assay("doctor")


def test_nobody_who_works_is_disturbed(lived_in: Project) -> None:
    litter = littered(lived_in)
    lock = lived_in.folder / ".assay/locks" / f"train@{TASK}.lock"
    with held(lock, ""):
        said = lived_in.assay("gc", "--apply", fails=True)
    assert f"process {os.getpid()} holds .assay/locks/train@{TASK}.lock. Nothing was freed" in said
    place = litter[-1].parent
    with subprocess.Popen(["sleep", "300"], cwd=place) as process:
        said = lived_in.assay("gc", "--apply", fails=True)
        process.kill()
    assert f"process {process.pid} runs in .dvc/tmp/exps/standalone/tmpkilled" in said
    import fcntl

    with (lived_in.folder / ".dvc/tmp/lock").open("a") as stream:  # as dvc does between two stages
        fcntl.flock(stream, fcntl.LOCK_EX)
        said = lived_in.assay("gc", "--apply", fails=True)
    assert "at work: DVC: Unable to acquire lock" in said
    with subprocess.Popen(["sleep", "300"]) as process:  # as dvc notes while a stage runs
        writes = {str(lived_in.folder / "models"): {"pid": process.pid, "cmd": "dvc repro"}}
        (lived_in.folder / ".dvc/tmp/rwlock").write_text(json.dumps({"write": writes}))
        said = lived_in.assay("gc", "--apply", fails=True)
        process.kill()
    assert f"(PID {process.pid}): dvc repro" in said
    assert all(path.exists() for path in litter)


def test_a_cache_that_others_share_is_left_alone(lived_in: Project, tmp_path: Path) -> None:
    shutil.move(lived_in.folder / ".dvc/cache", tmp_path / "cache")
    lived_in.dvc("cache", "dir", "--local", str(tmp_path / "cache"))
    before = {path for path in (tmp_path / "cache").rglob("*") if path.is_file()}
    said = lived_in.assay("gc", "--apply", "--keep-days", "0")
    assert f"shared ({tmp_path}/cache" in said
    assert {path for path in (tmp_path / "cache").rglob("*") if path.is_file()} == before


def test_what_mlflow_cannot_take_is_told_and_all_else_is_freed(lived_in: Project) -> None:
    litter, client = littered(lived_in), client_of(lived_in)
    away = client.create_experiment("own", artifact_location="nosuch://place")
    run = client.create_run(away).info.run_id
    client.delete_run(run)
    said = lived_in.assay("gc", "--apply", "--keep-days", "0", fails=True)
    assert "mlflow gc: " in said
    assert not any(path.exists() for path in litter)
    client.restore_run(run)
    lived_in.typed(re.findall(r"(mlflow gc --older.+)", said)[-1])
    assert "nothing to free" in lived_in.assay("gc", "--keep-days", "0")
