"""Jobs on Ray: a cluster of two nodes that lose workers and one another, and this machine's own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.jobs_set import Silent
from tests.studies import ROOT, TOY, make_root

from assay.errors import AssayError, GateError, MachineError
from assay.jobs.driver import run_jobs
from assay.jobs.executor import Ended, InProcess
from assay.jobs.job import Job, jobs_of
from assay.jobs.outcome import Outcome
from assay.jobs.ray_cluster import RayCluster
from assay.jobs.ray_local import ADDRESS, ENVIRONMENT, LocalRay, is_loopback
from assay.jobs.run_job import run_job
from assay.jobs.store import JobStore
from assay.manifest.layout import Layout
from assay.manifest.storage import OriginalStorage
from assay.manifest.table import read_table, write_table
from assay.params import read_params
from assay.runs.events import events_path, read_events
from assay.runs.files import file_digest
from assay.sections.machine import Runtime
from assay.values import on_machine

# Found and not imported: it reads its environment when it is imported.
pytestmark = [
    pytest.mark.kill,
    pytest.mark.skipif(not find_spec("ray"), reason="needs the extra: uv pip install -e '.[ray]'"),
]
WORK = partial(run_job, runtime=Runtime())
DRIVER = """
import json, os, sys, time
from functools import partial
from pathlib import Path
import psutil
from assay.jobs.job import Job
from assay.jobs.ray_cluster import RayCluster
from assay.jobs.ray_local import listening
from assay.jobs.run_job import run_job
from assay.jobs.store import JobStore
from assay.sections.machine import Runtime

def sleep(job, store):
    time.sleep(1000)

def processes():
    return [each for each in psutil.Process().children(recursive=True) if each.is_running()]

jobs = [Job(**each) for each in json.loads(sys.argv[1])]
work = sleep if sys.argv[2] == "sleep" else partial(run_job, runtime=Runtime())
cluster = RayCluster(work, JobStore(Path.cwd(), Path(".assay/local")))
try:
    for job in jobs:
        cluster.start(job)
    left, faults = len(jobs), []
    while left and work is not sleep or not any(job.key in each.name() for each in processes()):
        ended = cluster.ended(0.1)
        left -= len(ended)
        faults += [str(each.fault) for each in ended if each.fault]
        if not left:
            break
    print(json.dumps({
        "pids": [each.pid for each in processes()], "nice": [each.nice() for each in processes()],
        "listening": listening([psutil.Process(), *processes()]), "faults": faults,
    }), flush=True)
    if work is sleep:
        time.sleep(1000)
finally:
    cluster.stop()
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_root(tmp_path_factory.mktemp("root"))


@pytest.fixture(autouse=True)
def _in_root(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)


@pytest.fixture(scope="module")
def short() -> Iterator[Path]:
    """Give a temporary folder: Ray's sockets have no room in pytest's."""
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def cluster(short: Path) -> Iterator[Any]:
    """Give a cluster of two nodes of one core; its workers' temporary folder is `short`."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            **ENVIRONMENT,
            "RAY_AUTH_TOKEN": "ab" * 32,
            "RAY_TMPDIR": str(short),
        }.items():
            patch.setenv(name, value)
        patch.setenv("TMPDIR", str(short))
        from ray.cluster_utils import Cluster

        found = Cluster()
        found.add_node(num_cpus=1, include_dashboard=False)
        found.add_node(num_cpus=1)
        patch.setenv(ADDRESS, found.address)
        yield found
        found.shutdown()


def jobs(count: int = 4, **train: Any) -> list[Job]:
    section = read_params(ROOT / "examples" / "toy" / "params.yaml")[TOY]
    section = on_machine(section, read_params(ROOT / "params.yaml"))
    section["train"] |= {"epochs": 3, **train}
    layout = Layout("toy")
    paths = (layout.trainval, layout.trainval_pixels, Path(f"code/toy/train@{TOY}.json"))
    return jobs_of(TOY, section, {str(p): file_digest(p) for p in paths}, list(range(count)))


def by_ray(
    asked: list[Job], place: str, work: Any = WORK, executor: type[RayCluster] = RayCluster
) -> tuple[list[Outcome], list[Ended]]:
    store, notes = JobStore(Path.cwd(), Path(".assay") / place), Silent()
    return run_jobs(asked, executor(work, store), store, notes), notes.lost


def contents(outcomes: list[Outcome]) -> list[dict[str, bytes]]:
    assert not [each.fault for each in outcomes if each.fault]
    folders = [each.folder for each in outcomes if each.folder]
    return [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]


def in_process(asked: list[Job]) -> list[dict[str, bytes]]:
    store = JobStore(Path.cwd(), Path(".assay/alone"))
    return contents(run_jobs(asked, InProcess(WORK, store), store, Silent()))


def until(true: Callable[[], Any], seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def at_work(raylet: int, asked: list[Job]) -> psutil.Process | None:
    """Return the worker of a node that has one of the jobs."""
    keys = [job.key for job in asked]
    children = psutil.Process(raylet).children()
    return next((each for each in children if any(key in each.name() for key in keys)), None)


def raylet_of(node: Any) -> int:
    return int(node.all_processes["raylet"][0].process.pid)


def is_gone(process: int) -> bool:
    return not psutil.pid_exists(process) or psutil.Process(process).status() == "zombie"


# --- a cluster that is there


def test_results_have_the_bytes_of_this_process(cluster: Any, short: Path) -> None:
    asked = jobs(3)
    outcomes, lost = by_ray(asked, "same")
    assert not lost
    assert contents(outcomes) == in_process(asked)
    events = read_events(events_path(Path.cwd(), asked[0].stage, asked[0].key))
    assert [each["event"] for each in events] == ["begun", *["epoch"] * 3, "trained"] * 2
    log = JobStore(Path.cwd(), Path(".assay/same")).folder(asked[0]) / "log.txt"
    assert "gate preflight" in log.read_text()
    left = short / f"assay-{os.getuid()}"  # patients' data stay on no node
    assert [path.suffix for path in left.iterdir()] == [".lock"]


def test_a_killed_worker_and_a_killed_node_change_no_byte(cluster: Any) -> None:
    asked = jobs(3, epochs=30)
    head, node = cluster.head_node, next(iter(cluster.worker_nodes))
    killed: list[int] = []

    class Killing(RayCluster):
        def ended(self, timeout: float) -> list[Ended]:
            """Kill the worker of one node, then the other node under its worker."""
            if len(killed) == 0 and (worker := at_work(raylet_of(head), asked)):
                worker.kill()
                killed.append(worker.pid)
            elif len(killed) == 1 and (worker := at_work(raylet_of(node), asked)):
                os.kill(raylet_of(node), signal.SIGKILL)
                killed.append(worker.pid)
            return super().ended(timeout)

    outcomes, lost = by_ray(asked, "killed", executor=Killing)
    assert len(killed) == 2
    assert [each.was_killed for each in lost] == [True, True]
    until(lambda: is_gone(killed[1]))  # with its raylet: a training that nobody asks for
    assert contents(outcomes) == in_process(asked)
    cluster.remove_node(node, allow_graceful=False)
    cluster.add_node(num_cpus=1)


def test_faults_come_back_in_words(cluster: Any, tmp_path: Path) -> None:
    import ray

    def refuse(job: Job, store: JobStore) -> None:
        (tmp_path / str(job.fold)).touch()
        end = time.monotonic() + 30
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < end:
            time.sleep(0.02)  # two at once, in one working folder
        assert time.monotonic() < end
        if job.fold == 0:
            raise GateError("data", "refused", mend=f"see {store.half(job)}/preflight.json")
        print("printed there")
        raise ValueError("a library's")

    refuse.__module__ = "__main__"  # by value
    outcomes, lost = by_ray(jobs(2), "faults", refuse)
    store = JobStore(Path.cwd(), Path(".assay/faults"))
    assert [type(each.fault) for each in outcomes] == [GateError, MachineError]
    # The refusal is final, and so is the third failure.
    assert [each.was_killed for each in lost] == [False] * 2
    assert outcomes[0].fault.mend == f"see {store.half(jobs(1)[0])}/preflight.json"
    assert "failed 3 times; the last: RuntimeError: ValueError: a library's" in str(
        outcomes[1].fault
    )
    assert "printed there" in (store.folder(jobs(2)[1]) / "log.txt").read_text()
    assert not ray.is_initialized()


def test_other_code_than_declared_is_refused(cluster: Any) -> None:
    source = Path("src/assay/learning/fit.py")
    text = source.read_text()
    source.write_text(text + "\n# edited\n")
    try:
        [outcome], _ = by_ray(jobs(1), "edited")
    finally:
        source.write_text(text)
    assert "is not as when" in str(outcome.fault)


def test_what_cannot_travel_is_refused(cluster: Any) -> None:
    table, facts = read_table(Layout("toy").trainval, "")
    storage = OriginalStorage("toy", "photographs", "", 16, "stretch", decoder="pillow")
    kept = Layout("toy").trainval.read_bytes()
    write_table(Layout("toy").trainval, table, {**facts, **storage.facts()})
    try:
        [outcome], _ = by_ray(jobs(1), "originals")
    finally:
        Layout("toy").trainval.write_bytes(kept)
    assert isinstance(outcome.fault, AssayError)
    assert "photographs" in outcome.fault.found
    assert "-S toy.ingest.copy=full" in outcome.fault.mend


# --- this machine's own


@pytest.fixture
def driver(short: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Start a driver with a cluster of its own; give the process, and what it says of its cluster."""
    folders = {name: short / name for name in ("home", "temp", "else")}
    started: list[subprocess.Popen[str]] = []
    for folder in folders.values():
        folder.mkdir(exist_ok=True)
    unset = {name for name in os.environ if name.startswith("RAY_")}

    def start(asked: list[Job], work: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
        env = {name: value for name, value in os.environ.items() if name not in unset}
        env |= {"HOME": str(folders["home"]), "TMPDIR": str(folders["temp"]), "PYTHONPATH": "src"}
        env |= {name: str(folders["else"]) for name in ("MPLCONFIGDIR", "XDG_CACHE_HOME")}
        command = [sys.executable, "-c", DRIVER, json.dumps([asdict(job) for job in asked]), work]
        process = subprocess.Popen(
            command, env=env, text=True, stdout=subprocess.PIPE, start_new_session=True
        )
        started.append(process)
        assert process.stdout
        return process, json.loads(process.stdout.readline())

    yield start
    for process in started:
        process.kill()
        process.wait()
    assert not list(folders["home"].rglob("*"))


def nothing_left(said: dict[str, Any], short: Path) -> bool:
    return all(map(is_gone, said["pids"])) and not list((short / "temp").glob("ray-*"))


def test_a_cluster_of_this_machine_keeps_to_itself(driver: Callable[..., Any], short: Path) -> None:
    asked = jobs(1)
    process, said = driver(asked, "train")
    assert process.wait(30) == 0
    assert process.stdout.read() == ""  # Ray's own words go elsewhere
    assert said["faults"] == []
    assert len(said["pids"]) > 8
    assert set(said["nice"]) == {os.nice(0)}
    assert len(said["listening"]) > 8
    assert [each for each in said["listening"] if not is_loopback(each)] == []
    assert nothing_left(said, short)
    store = JobStore(Path.cwd(), Path(".assay/local"))
    assert contents([Outcome(job, store.result(job)) for job in asked]) == in_process(asked)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_cluster_goes_with_its_driver(driver: Callable[..., Any], short: Path, how: int) -> None:
    process, said = driver(jobs(1), "sleep")
    if how == signal.SIGINT:
        os.killpg(process.pid, how)
    else:
        process.send_signal(how)
    until(lambda: nothing_left(said, short), 10)
    assert nothing_left(said, short)


def test_a_cluster_that_others_can_reach_is_refused(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    monkeypatch.setattr(tempfile, "tempdir", str(short))
    monkeypatch.delenv(ADDRESS, raising=False)
    with socket.socket() as opened:
        opened.bind(("0.0.0.0", 0))
        monkeypatch.setattr(ray, "init", lambda *_, **__: opened.listen())
        with pytest.raises(MachineError, match=r"listens beyond this machine: 0\.0\.0\.0:"):
            LocalRay()
    assert not list(short.glob("ray-*"))


def test_a_cluster_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ADDRESS, "127.0.0.1:1")
    with pytest.raises(MachineError, match="a cluster that answers") as told:
        RayCluster(WORK, JobStore(Path.cwd()))
    assert told.value.mend == "unset RAY_ADDRESS"


def test_an_absent_ray_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setenv(ADDRESS, "auto")
    with pytest.raises(MachineError, match=r"uv pip install -e '\.\[ray\]'"):
        RayCluster(WORK, JobStore(Path.cwd()))
