"""Two real systems side by side, and a third whose code is broken: who is stopped, and who is not."""

from __future__ import annotations

import os
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from tests.conftest import DATA, ROOT, TASK, Project

from assay.repro.forked import is_possible

NAIL = {
    "hemoglobin.nail.phantom.people": 60, "hemoglobin.nail.phantom.size": 48,
    "hemoglobin.nail.ingest.size": 32, "hemoglobin.nail.split.folds": 4,
    "hemoglobin.nail.similar.n_neighbors": 2, "hemoglobin.nail.similar.null_pairs": 40,
    "hemoglobin-nail.train.epochs": 3, "hemoglobin-nail.train.warmup_epochs": 1,
}  # fmt: skip
BOTH = (f"evaluate@{TASK}", "evaluate@hemoglobin-nail")


def keep_both(project: Project) -> None:
    """Put the small nails beside the small conjunctivas."""
    shutil.copyfile(ROOT / "dvc.yaml", project.folder / "dvc.yaml")
    yaml = YAML()
    content = yaml.load(project.folder / "dvc.yaml")
    tables = content["vars"][0]
    tables["code"], tables["pipelines"] = ["hemoglobin"], {}
    for table in ("systems", "tasks"):
        for name in [name for name in tables[table] if not name.startswith("hemoglobin")]:
            del tables[table][name]
    yaml.dump(content, project.folder / "dvc.yaml")
    project.set(**NAIL)


def branch_of(stage: str) -> int:
    """Return the process in which DVC runs the branch of a stage."""
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = each.read_bytes().split(b"\0")
            if b"assay.repro" in words and stage.encode() in words:
                return int(each.parent.name)
    raise AssertionError(f"no process runs {stage}")


def holder(lock: Path) -> int:
    """Wait until a stage runs; return its process."""
    for _ in range(12000):
        if lock.exists() and (text := lock.read_text().strip()):
            return int(text)
        time.sleep(0.05)
    raise AssertionError(f"nobody took {lock}")


@pytest.mark.kill
def test_systems_side_by_side_killed_or_broken_leave_the_bytes_of_a_serial_run(
    fresh: Project, finished_folder: Path
) -> None:
    """The nails' dvc is killed in its training; the spectra's code and section are broken throughout."""
    keep_both(fresh)
    broken = fresh.folder / "src/assay/systems/spectra/data/__init__.py"
    broken.write_text("raise RuntimeError('planted')\n")
    fresh.set(**{"spectra-bayer.train.epochs": "ten"})
    fresh.commit("Break the spectra")

    # All was asked for, so all is checked, and before anything starts.
    text = fresh.own("repro", fails=True)
    assert f"{broken}, line 1: RuntimeError: planted" in text
    assert "Traceback" not in text
    assert not (fresh.folder / "data" / DATA / "manifest.parquet").exists()

    logs = [fresh.folder.parent / name for name in ("one.log", "other.log")]
    command = ("env", "PYTHONPATH=src", "python", "-m", "assay", "repro", "-j", "2", *BOTH)
    drivers = [fresh.start(*command, log=log) for log in logs]
    try:
        stage = holder(fresh.folder / ".assay/locks/train@hemoglobin-nail.lock")
        forked = b"fork_server" in Path(f"/proc/{stage}/cmdline").read_bytes()
        assert forked == is_possible()
        os.kill(branch_of("train@hemoglobin-nail"), signal.SIGKILL)
        codes = {driver.wait(1200) for driver in drivers}
    finally:
        for driver in drivers:
            driver.kill()
    texts = "".join(log.read_text() for log in logs)
    # Whichever came second waited, went on where the first had failed, and ended it.
    assert codes == {0, 1}, texts
    assert "assay repro runs already in this folder; waiting (process " in texts
    assert (
        "train@hemoglobin-nail: was killed by SIGKILL; not run: evaluate@hemoglobin-nail" in texts
    )

    side_by_side = fresh.bytes_of("data", "models", "reports")
    serial = Project(finished_folder).bytes_of("data", "models", "reports")
    assert {path: side_by_side[path] for path in serial} == serial
    fresh.run("dvc", "repro", "-f", "-s", "train@hemoglobin-nail")
    assert fresh.bytes_of("data", "models", "reports") == side_by_side
    assert "up to date" in fresh.run("dvc", "status", *BOTH)


@pytest.mark.dvc
def test_a_broken_systems_own_stage_says_so_without_a_traceback(fresh: Project) -> None:
    broken = fresh.folder / "src/assay/systems/hemoglobin/data/__init__.py"
    broken.write_text("import nosuchmodule\n")
    text = fresh.run("dvc", "repro", f"ingest@{DATA}", fails=True)
    assert f"error: {broken}, line 1: ModuleNotFoundError" in text
    assert "Traceback" not in text
    shown = fresh.run(
        "python", "-c", "import assay.systems.hemoglobin.data", fails=True, PYTHONPATH="src"
    )
    assert "nosuchmodule" in shown


@pytest.mark.dvc
def test_an_ill_typed_section_stops_its_own_stages_and_is_told_with_its_key(fresh: Project) -> None:
    fresh.set(**{f"{DATA}.ingest.size": "big"})
    text = fresh.run("dvc", "repro", f"ingest@{DATA}", fails=True)
    assert f"params.yaml · {DATA}.ingest.size: found 'big'" in text
    assert f"mend: dvc exp run -S '{DATA}.ingest.size=…'" in text
    fresh.set(**{f"{DATA}.ingest.size": 32, "ceph.ingest.size": "big"})
    fresh.run("dvc", "repro", f"ingest@{DATA}")
