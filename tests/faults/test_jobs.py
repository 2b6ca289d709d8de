"""Jobs under three drivers that are killed, with their workers and fork servers: each is trained once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.jobs_set import Nobody, Silent, bytes_of_results, grid, noted, start_driver
from tests.studies import make_root

from assay.jobs.driver import run_jobs
from assay.jobs.ray_local import ADDRESS, ENVIRONMENT
from assay.jobs.store import WORKER, JobStore

JOBS, EPOCHS = 60, 2
# The dear ones, that import anew, are few. A node of Ray, where there is Ray, comes in their midst.
VICTIMS = {"worker": 22, "server": 4, "driver": 4}
pytestmark = pytest.mark.kill


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give a cluster of two nodes of one core; None where there is no Ray."""
    if not find_spec("ray"):
        yield None
        return
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as short:
        token = {"RAY_AUTH_TOKEN": "ab" * 32}
        for name, value in {**ENVIRONMENT, **token, "RAY_TMPDIR": short, "TMPDIR": short}.items():
            monkeypatch.setenv(name, value)
        from ray.cluster_utils import Cluster

        found = Cluster()
        found.add_node(num_cpus=1, include_dashboard=False)
        found.add_node(num_cpus=1)
        yield found
        found.shutdown()


class Campaign:
    """Drivers of one grid, each started anew where it was killed.

    Attributes:
        lost: key → how many of its workers died by a kill.
    """

    def __init__(self, root: Path, kinds: tuple[str, ...], cluster: Any) -> None:
        self.root, self.kinds, self.store = root, kinds, JobStore(root)
        self.cluster, self.jobs = cluster, grid(JOBS, EPOCHS, root)
        self.drivers = {number: self._started(number) for number in range(len(kinds))}
        self.lost: Counter[str] = Counter()

    def _started(self, number: int) -> subprocess.Popen[bytes]:
        more = {ADDRESS: self.cluster.address} if self.cluster else {}
        return start_driver(self.root, JOBS, EPOCHS, self.kinds[number], slots=1, **more)

    def finished(self) -> int:
        return sum(self.store.result(job) is not None for job in self.jobs)

    def kill_node(self) -> None:
        """Kill one of the two nodes."""
        [node] = self.cluster.worker_nodes
        os.kill(node.all_processes["raylet"][0].process.pid, signal.SIGKILL)

    def kill(self, kind: str, number: int) -> bool:
        """Kill one of the processes of a driver; say whether there was one."""
        driver = self.drivers[number]
        with suppress(psutil.NoSuchProcess):
            levels = processes_below(driver.pid)
            victim = next(iter(levels[kind]), None)
            if victim is None:
                return False
            victim.suspend()  # it starts nothing more, while is looked whom it takes with it
            levels = processes_below(driver.pid)
            below = [victim] if kind == "worker" else levels["worker"]
            self.lost.update(key for each in below if (key := job_of(each)))
            victim.send_signal(signal.SIGKILL)
            if kind == "driver":
                assert driver.wait() == -signal.SIGKILL
                wait_for(lambda: not any(is_alive(each) for each in below), "workers' death")
                self.drivers[number] = self._started(number)
            return True
        return False


def processes_below(driver: int) -> dict[str, list[psutil.Process]]:
    """Return a driver, its fork server and its workers."""
    own = psutil.Process(driver)
    servers = [each for each in own.children() if "forkserver" in " ".join(each.cmdline())]
    workers = [each for server in servers for each in server.children()]
    return {"driver": [own], "server": servers, "worker": workers}


def is_alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False


def job_of(worker: psutil.Process) -> str:
    """Return the key of the job that a worker has the log of open, or an empty text."""
    with suppress(OSError):
        log = Path(f"/proc/{worker.pid}/fd/1").readlink()
        return log.parent.name if log.name == "log.txt" else ""
    return ""


def victims() -> Iterator[tuple[str, int, float]]:
    """Return whom to kill: of what kind, of which driver, after how many seconds."""
    chance = random.Random(os.environ.get("ASSAY_KILL_SEED", "1"))
    kinds = [kind for kind, count in VICTIMS.items() for _ in range(count)]
    chance.shuffle(kinds)
    return ((kind, chance.randrange(3), chance.uniform(0, 0.5)) for kind in kinds)


def wait_for(condition: object, what: str, seconds: float = 120) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.02)


def test_each_job_is_trained_once_whatever_is_killed(
    tmp_path: Path, cluster: Any, request: pytest.FixtureRequest
) -> None:
    """About thirty kills, spread over the whole grid; no job that none hit is trained again.

    What is trained on Ray tells of itself when its result comes, and begins anew after a kill.
    """
    roots = [tmp_path / name for name in ("campaign", "undisturbed")]
    for root in roots:
        root.mkdir()
        make_root(root)
    undisturbed = start_driver(roots[1], JOBS, EPOCHS, "in process")
    third = "ray" if cluster else "processes"
    campaign = Campaign(roots[0], ("processes", "processes", third), cluster)
    request.addfinalizer(
        lambda: [each.kill() for each in (*campaign.drivers.values(), undisturbed)]
    )
    for place, (kind, first, seconds) in enumerate(victims()):
        done = place * JOBS // (sum(VICTIMS.values()) + 2)
        wait_for(lambda done=done: campaign.finished() >= done, f"{done} results")
        time.sleep(seconds)
        if cluster and place == sum(VICTIMS.values()) // 2:
            campaign.kill_node()
        numbers = [(first + more) % 3 for more in range(3)]
        wait_for(
            lambda kind=kind, numbers=numbers: any(campaign.kill(kind, n) for n in numbers), kind
        )
    for process in (*campaign.drivers.values(), undisturbed):
        assert process.wait(timeout=120) == 0, (roots[0] / "driver.log").read_text()[-3000:]
    assert bytes_of_results(roots[0]) == bytes_of_results(roots[1])
    assert len(bytes_of_results(roots[0])) == JOBS
    for job in campaign.jobs:
        events, lost = noted(roots[0], job), campaign.lost[job.key]
        assert 1 <= events["trained"] <= 1 + lost  # again only where a kill came before the result
        assert EPOCHS <= events["epoch"] <= EPOCHS * (1 + lost)
        assert noted(roots[1], job) == {"trained": 1, "epoch": EPOCHS}
    if cluster:  # where it alone trained, nobody here ever held this lock
        folders = map(campaign.store.folder, campaign.jobs)
        assert not all((folder / WORKER).exists() for folder in folders)
    assert sum(campaign.lost.values()) >= VICTIMS["worker"] / 2
    outcomes = run_jobs(campaign.jobs, Nobody(), campaign.store, Silent())
    assert all(outcome.folder for outcome in outcomes)  # a second call has nothing done
