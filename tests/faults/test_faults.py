"""What goes wrong in a laboratory: kills, typos, absent folders, damaged files, two at once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import polars as pl
import pytest
from tests.conftest import DATA, ROOT, TASK, Project

from assay.errors import MachineError
from assay.jobs.store import WORK
from assay.runs.places import JOBS, PROOFS
from assay.stages import guard

EPOCHS = f"{TASK}.train.epochs"


def stages_of(project: Project) -> list[int]:
    """Return the processes whose working folder is the project and that run a stage."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            command = (place / "cmdline").read_bytes()
            if b"assay.stages\0train" in command and (place / "cwd").resolve() == project.folder:
                found.append(int(place.name))
        except OSError:
            continue
    return found


def wait_for(condition: object, what: str, seconds: float = 120) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.05)


@pytest.mark.kill
def test_killed_anywhere_the_same_command_gives_the_same_bytes(
    finished: Project, tmp_path: Path
) -> None:
    """The stage, DVC and the stage again killed at random moments; then the command once more."""
    # An epoch of the small project takes 0.04 s: the training must outlast three kills.
    finished.set(**{EPOCHS: 120})
    command = ("dvc", "repro", f"evaluate@{TASK}")
    twin = Project(tmp_path / "twin")
    subprocess.run(["cp", "-a", str(finished.folder), str(twin.folder)], check=True)
    chance = random.Random(os.environ.get("ASSAY_KILL_SEED", "1"))
    left = False  # a state to go on from
    for number, victim in enumerate(("stage", "dvc", "stage")):
        log = tmp_path / f"{number}.log"
        process = finished.start(*command, log=log)
        wait_for(lambda log=log: log.read_bytes().count(b"[EPOCH]") > 1, "two epochs")
        time.sleep(chance.uniform(0, 0.6))
        os.kill(process.pid if victim == "dvc" else stages_of(finished)[0], signal.SIGKILL)
        assert process.wait(timeout=60) != 0
        wait_for(lambda: not stages_of(finished), "the stage's death", 10)
        assert (b"going on from" in log.read_bytes()) == left
        left = bool(list(finished.folder.glob(f"{JOBS}/*/{WORK}/*/epoch-*.ckpt")))
        assert left  # after two epochs there is one
    assert "going on from" in finished.run(*command)
    twin.run(*command)
    assert finished.bytes_of("models", "reports") == twin.bytes_of("models", "reports")
    assert not list(finished.folder.glob(".assay/jobs/*/work"))


@pytest.mark.kill
def test_a_killed_proof_goes_on(finished: Project, tmp_path: Path) -> None:
    """What `dvc repro -f` had reached is neither lost nor left behind; the store knows the rest."""
    finished.set(**{EPOCHS: 40})
    finished.dvc("repro", f"train@{TASK}")
    before = finished.bytes_of("models")
    command, log = ("dvc", "repro", "-f", "-s", f"train@{TASK}"), tmp_path / "log"
    process = finished.start(*command, log=log)
    wait_for(lambda: log.read_bytes().count(b"[EPOCH]") > 2, "three epochs")
    os.kill(stages_of(finished)[0], signal.SIGKILL)
    assert process.wait(timeout=60) != 0
    assert list(finished.folder.glob(f"{PROOFS}/*/{WORK}/*/epoch-*.ckpt"))
    assert "going on from" in finished.dvc(*command[1:])
    assert finished.bytes_of("models") == before
    assert not list(finished.folder.glob(".assay/proofs/*"))


def test_a_wrong_type_stops_the_first_stage_and_names_the_path(finished: Project) -> None:
    said = finished.dvc("exp", "run", "-S", f"{EPOCHS}=many", fails=True)
    assert f"params.yaml · {EPOCHS}: found 'many'" in said
    assert "Traceback" not in said
    assert "gate preflight" not in said


def test_an_absent_source_is_told(finished: Project) -> None:
    said = finished.dvc("exp", "run", "-S", f"{DATA}.source=/no/such/folder", fails=True)
    assert "error: /no/such/folder: no such folder" in said
    assert "Traceback" not in said


def test_weights_that_are_not_to_be_had_are_told_at_once(finished: Project) -> None:
    key = f"{TASK}.model.weights"
    for weights, said in (
        ("weights/none.pth", f"params.yaml · {key}: found 'weights/none.pth'"),
        (
            "none.safetensors",
            f"{key} none.safetensors: no such file: models/start/{TASK}/none.safetensors",
        ),
        ("pretrained", f"assay weights {TASK} test_resnet"),
    ):
        told = finished.dvc("exp", "run", "-S", f"{key}={weights}", fails=True)
        assert said in told
        assert "Traceback" not in told
        assert "gate preflight" not in told
        finished.run("git", "checkout", "-q", ".")


def a_set(folder: Path, count: int = 40) -> Path:
    """Write a set in the published layout with every kind of bad row and file."""
    from assay.lookup import find_system
    from assay.systems.hemoglobin.data.params import Phantom

    folder.mkdir()
    params = Phantom(folder1=0, folder2=count, size=32, seed=3, conflicts=0, broken=0)
    find_system(DATA).phantom(folder, params)
    return folder


def test_bad_rows_are_counted_listed_and_lose_nothing(finished: Project, tmp_path: Path) -> None:
    folder = a_set(tmp_path / "set")
    table = folder / "conj_folder2.csv"
    lines = table.read_text().splitlines()
    lines[1] = "folder2/0001_1.png,twelve,1"
    lines[2] = "folder2/nowhere.png,12.0,2"
    table.write_text("\n".join(lines) + "\n")
    (folder / "folder2/0003_1.png").write_bytes(b"")
    image = folder / "folder2/0004_1.png"
    image.write_bytes(image.read_bytes()[:700])
    said = finished.dvc("exp", "run", "-S", f"{DATA}.source={folder}", fails=True)
    assert "40 rows, 36 readable" in said
    assert "conj_folder2.csv line 2: hb_value is not a number: 'twelve'" in said
    assert "STOP  broken: 4 of" in said
    assert "ingest.max_broken_share" in said
    manifest = pl.read_parquet(finished.folder / f"data/{DATA}/manifest.parquet")
    assert len(manifest) == 40
    reasons = manifest.filter(pl.col("status") == "broken")["reason"].to_list()
    assert len(reasons) == 4
    assert {"no such file", "zero bytes"} < set(reasons)
    verdict = finished.json(f"reports/{DATA}/labels.json")
    assert len(verdict["checks"][0]["rows"]) == 4


def test_a_missing_column_is_told(finished: Project, tmp_path: Path) -> None:
    folder = a_set(tmp_path / "set", 3)
    table = folder / "conj_folder2.csv"
    table.write_text(table.read_text().replace("hb_value", "hb"))
    said = finished.dvc("exp", "run", "-S", f"{DATA}.source={folder}", fails=True)
    assert "no column hb_value (has image_path, hb, patient_id)" in said
    assert "Traceback" not in said


def test_a_planted_conflict_stops_and_the_printed_way_out_works(finished: Project) -> None:
    finished.set(**{f"{DATA}.phantom.conflicts": 2})
    said = finished.dvc("repro", fails=True)
    assert "4 groups of identical images (8 rows), 4 with different hb" in said
    assert f"-S {DATA}.policy.conflict=drop" in said
    finished.set(**{f"{DATA}.policy.conflict": "drop"})
    said = finished.dvc("repro", f"leakage@{DATA}")
    assert "8  conflict: dropped" in said
    assert "policy drop: 8 rows" in said


def test_the_guard_names_what_is_wrong_and_the_way_out(
    finished: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "die_with_parent", lambda: None)  # this process is no stage
    monkeypatch.delenv("DVC_STAGE", raising=False)
    with pytest.raises(MachineError, match="a stage runs within dvc"):
        guard.guard("train")
    monkeypatch.setenv("DVC_STAGE", f"train@{TASK}")
    monkeypatch.chdir(ROOT)
    guard.guard("train")
    monkeypatch.chdir(finished.folder)
    with pytest.raises(MachineError, match="assay is imported from"):
        guard.guard("train")
    monkeypatch.setattr(guard.errors, "__file__", str(finished.folder / "src/assay/errors.py"))
    guard.guard("train")
    lock = finished.folder / "requirements.lock"
    lock.write_text(lock.read_text().replace("timm==", "timm==0."))
    with pytest.raises(MachineError, match=r"timm 1\S* \(locked: 0\.1") as refused:
        guard.guard("train")
    assert "make environment" in refused.value.render()
