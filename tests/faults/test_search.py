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
from tests.studies import make_root, own_source, results, start, toy_plan

from assay.jobs.store import WORKER, JobStore
from assay.runs.events import events_path
from assay.search.objective import CURVE
from assay.search.plan import StudyPlan
from assay.search.results import REPEATED, StudyResults
from assay.search.storage import FILE, HEARTBEAT, URL, open_study

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


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    found = []
    for each in psutil.Process(process.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):  # the killed one
            found += [each] if "spawn_main" in " ".join(each.cmdline()) else []
    return found


def numbers(found: StudyResults) -> list[tuple[Any, ...]]:
    return [(t.params, t.values, t.user_attrs[CURVE]) for t in found.trials]


def killed(plan: StudyPlan, root: Path) -> set[int]:
    trials = open_study(plan, root).trials
    return {number for trial in trials for number in trial.system_attrs.get(REPEATED, ())}


@contextlib.contextmanager
def half_of_one(process: subprocess.Popen[str], root: Path, count: int) -> Iterator[psutil.Process]:
    """Give a worker half-way through a trial, all of them stopped meanwhile; `count` are at work."""
    workers = until(lambda: found if len(found := workers_of(process)) == count else None, process)

    def half() -> psutil.Process | None:
        for worker in workers:
            worker.suspend()
        locks = [str(folder / WORKER) for folder in half_jobs(root)]
        held = [held_by(worker, path) for path in locks for worker in workers]
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


def half_jobs(root: Path) -> list[Path]:
    """Return the folder of each job that is half-way; its worker has the lock in it open."""
    store = JobStore(root)
    unfinished = [job for job in store.jobs() if store.result(job) is None]
    half = [job for job in unfinished if is_half(events_path(root, job.stage, job.key))]
    return [store.folder(job) for job in half]


def is_half(events: Path) -> bool:
    return events.exists() and 3 < events.read_text().count('"epoch",') < EPOCHS - 3


def held_by(worker: psutil.Process, path: str) -> psutil.Process | None:
    return worker if any(file.path == path for file in worker.open_files()) else None


@pytest.mark.kill
def test_a_killed_worker_then_a_killed_search_lose_nothing(
    source: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers are replaced, and die with their search; the same command ends the study."""
    monkeypatch.setenv(HEARTBEAT, "2")  # four missed: the living ones are stopped for less
    plan = toy_plan(root, fixed={"train.epochs": EPOCHS}, trials=5)
    process = start(source, root, plan, 5, 2)
    with half_of_one(process, root, 2) as victim:
        victim.send_signal(signal.SIGKILL)
        victim.wait()
    with half_of_one(process, root, 2):
        workers = workers_of(process)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive
    before = results(plan, root)
    assert before.compared < 5
    again = start(source, root, plan, 5, 1)
    said, _ = again.communicate(timeout=300)
    assert again.returncode == 0, said
    after = results(plan, root)
    assert all(each in numbers(after) for each in numbers(before))  # what had ended stands
    assert len(after.ended("complete")) == 5  # none too many, none too few
    assert len(killed(plan, root)) >= 2
    tried = [trial.params for trial in after.trials]
    assert len({str(params) for params in tried}) == 5
    trials = open_study(plan, root).trials
    assert all(trials[number].params in tried for number in killed(plan, root))
    logs = "".join(path.read_text() for path in plan.folder(root).glob("worker-*.log"))
    assert "going on from" in logs  # a half trial goes on where it was


def test_why_a_worker_gave_up_is_told_whole(source: Path, root: Path) -> None:
    plan = toy_plan(root, objectives={"mea": "minimize"}, fixed={"train.epochs": 1})
    process = start(source, root, plan, 4, 1)
    said, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "3 trials in a row failed" in said
    assert "mend: narrow the space" in said


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
    with half_of_one(process, root, 2) as victim:
        victim.send_signal(signal.SIGKILL)
        victim.wait()
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    found = results(plan, root)
    assert len(found.ended("complete")) == 3
    assert len({str(t.params) for t in found.trials}) == 3
    assert killed(plan, root)
    states = [t.state.name for t in open_study(plan, root).trials]
    assert "RUNNING" not in states
    # Optuna fails a trial, then queues its repetition: between the two the other worker may have drawn
    # another one for it, and the queued one waits until the study goes on.
    assert states.count("WAITING") <= 1
    assert not (plan.folder(root) / FILE).exists()
