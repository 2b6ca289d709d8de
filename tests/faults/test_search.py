"""Killed drivers and workers of a search: real processes, and a real PostgreSQL where there is one."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.studies import make_root, own_source, start, toy_plan

from assay.runs.files import content_digest
from assay.search.outcome import Outcome, outcome
from assay.search.plan import StudyPlan
from assay.search.storage import HEARTBEAT, URL, Badge, Store
from assay.search.turns import next_trial, superseded
from assay.search.work import work

EPOCHS = 50  # of a trial: long enough to be killed in
SERVERS = sorted(Path("/usr/lib/postgresql").glob("*/bin")) if os.name == "posix" else []


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return own_source(tmp_path_factory.mktemp("source"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_root(tmp_path)


def until(true: Callable[[], Any], process: subprocess.Popen[str]) -> Any:
    end = time.monotonic() + 120
    while not (found := true()):
        assert time.monotonic() < end
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    return found


def seen(plan: StudyPlan, root: Path) -> Outcome:
    return outcome(plan, Store(plan, root).trials())


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return [c for c in psutil.Process(process.pid).children() if "assay.search.work" in c.cmdline()]


def numbers(found: Outcome) -> list[tuple[Any, ...]]:
    return [(t.params, t.values, [dict(row) for row in t.curve]) for t in found.tried]


@contextlib.contextmanager
def half_of_one(
    process: subprocess.Popen[str], plan: StudyPlan, root: Path, count: int
) -> Iterator[psutil.Process]:
    """Give a worker half-way through a trial, all of them stopped meanwhile; `count` are at work."""
    store = Store(plan, root)
    workers = until(lambda: found if len(found := workers_of(process)) == count else None, process)

    def half() -> psutil.Process | None:
        for worker in workers:
            worker.suspend()
        held = [held_by(worker, path) for path in badges(store) for worker in workers]
        if any(held):
            return next(filter(None, held))
        for worker in workers:
            worker.resume()
        time.sleep(0.05)
        return None

    yield until(half, process)
    for worker in workers:
        with contextlib.suppress(psutil.NoSuchProcess):
            worker.resume()


def badges(store: Store) -> Iterator[str]:
    """Yield the lock of each worker, dead or alive, whose trial is some epochs old."""
    for trial in store.trials():
        journal = store.folder / "trials" / content_digest(trial.params) / "journal.jsonl"
        epochs = journal.read_text().count('"epoch",') if journal.exists() else 0
        if trial.state.name == "RUNNING" and 3 < epochs < EPOCHS - 3:
            yield str(store.folder / "workers" / f"{trial.user_attrs['worker']}.lock")


def held_by(worker: psutil.Process, path: str) -> psutil.Process | None:
    return worker if any(file.path == path for file in worker.open_files()) else None


@pytest.mark.kill
def test_a_killed_worker_then_a_killed_driver_lose_nothing(source: Path, root: Path) -> None:
    """A driver replaces its worker; workers die with their driver; the same command ends the study."""
    plan = toy_plan(root, fixed={"train.epochs": EPOCHS}, trials=5)
    process = start(source, root, plan, 5, 2)
    with half_of_one(process, plan, root, 2) as victim:
        victim.send_signal(signal.SIGKILL)
        victim.wait()
    with half_of_one(process, plan, root, 2):
        workers = workers_of(process)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive
    before = seen(plan, root)
    assert len(before.tried) < 5
    again = start(source, root, plan, 5, 1)
    said, _ = again.communicate(timeout=300)
    assert again.returncode == 0, said
    after, trials = seen(plan, root), Store(plan, root).trials()
    assert numbers(after)[: len(before.tried)] == numbers(before)  # what had ended stands
    assert len(after.ended("complete")) == 5  # none too many, none too few
    killed = superseded(trials)
    assert len(killed) >= 2
    tried = [trial.params for trial in after.tried]
    assert len({str(params) for params in tried}) == 5
    assert all(plan.values(trials[number].params) in tried for number in killed)
    logs = "".join(path.read_text() for path in plan.folder(root).glob("worker-*.log"))
    assert "going on from" in logs  # a half trial goes on where it was


def test_an_interrupted_study_is_the_undisturbed_one(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that is gone before its second trial ends leaves what a study without that fault has."""
    found = []
    for name, falls in (("plain", False), ("fallen", True)):
        own = tmp_path / name
        for part in ("data", "code", "src"):
            shutil.copytree(root / part, own / part)
        shutil.copy(root / "requirements.lock", own)
        monkeypatch.chdir(own)
        plan = toy_plan(own, fixed={"train.epochs": 3}, trials=3)
        work(plan.folder(own), 1)
        if falls:
            badge = Badge(plan.folder(own))
            assert next_trial(Store(plan, own), badge, 3) is not None
            badge._stream.close()
        work(plan.folder(own), 3)
        found.append(numbers(seen(plan, own)))
    assert found[0] == found[1]


@pytest.fixture
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a server that lives as long as the test."""
    pytest.importorskip("psycopg2", reason="no psycopg2 (the extra `postgresql`)")
    if not SERVERS:
        pytest.skip("no PostgreSQL on this machine (apt-get install postgresql)")
    place = tmp_path_factory.mktemp("pg")
    # initdb refuses root; the folders above are root's own.
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    before = as_nobody if os.geteuid() == 0 else []
    if before:
        for folder in (place, *place.parents[:3]):  # three where several workers share the suite
            folder.chmod(folder.stat().st_mode | 0o011)
        shutil.chown(place, 65534, 65534)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    binaries, data = SERVERS[-1], place / "data"
    made = [*before, str(binaries / "initdb"), "-D", str(data), "-U", "assay", "-A", "trust", "-N"]
    subprocess.run(made, cwd=place, check=True, capture_output=True)
    options = f"-c listen_addresses=127.0.0.1 -p {port} -k {place} -c fsync=off"
    control = [*before, str(binaries / "pg_ctl"), "-D", str(data), "-w"]
    subprocess.run(
        [*control, "-o", options, "-l", str(place / "log"), "start"], cwd=place, check=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield f"postgresql+psycopg2://assay@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "fast", "stop"], cwd=place, check=True, capture_output=True)


@pytest.mark.kill
def test_workers_share_a_postgresql(
    source: Path, root: Path, postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The killed worker's trial falls silent, and is repeated; every trial is counted once."""
    monkeypatch.setenv(URL, postgresql)
    monkeypatch.setenv(HEARTBEAT, "2")  # four missed: the living ones are stopped for less
    plan = toy_plan(root, fixed={"train.epochs": EPOCHS}, trials=3)
    process = start(source, root, plan, 3, 2)
    with half_of_one(process, plan, root, 2) as victim:
        victim.send_signal(signal.SIGKILL)
        victim.wait()
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    found, trials = seen(plan, root), Store(plan, root).trials()
    assert len(found.ended("complete")) == 3
    assert len({str(t.params) for t in found.tried}) == 3
    assert superseded(trials)
    assert not any(t.state.name in ("RUNNING", "WAITING") for t in trials)
    assert not (plan.folder(root) / "journal.log").exists()
