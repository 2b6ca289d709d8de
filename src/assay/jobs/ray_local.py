"""A cluster of Ray: one that is there, or of this machine alone and gone with its driver.

Of itself Ray 2.60 opens ten ports on all interfaces, writes a token into the home folder, and leaves the
session's folder behind; of a killed driver two of its processes stay for a minute.
"""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from assay.errors import MachineError
from assay.runs.cores import available_cores

ADDRESS = "RAY_ADDRESS"  # Ray's own word: of a cluster that is there already
ENDED = "ended"  # says a driver that was not killed
LOOPBACK = "127.0.0.1"
PORT = re.compile(r"([^/\[\]]+)\]?:(\d+)$")  # of an address, its host and its port
PATIENCE = 5  # seconds for it to answer
CONFIG = {"worker_niceness": 0}  # 15: a training would give way to whatever else runs
# Ray reads these when it is imported; a person's own word stands.
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # on Linux too: else loopback becomes the machine's address
    "RAY_AUTH_MODE": "token",  # other people of this machine reach its loopback
}


class LocalRay:
    """A cluster of this machine's cores and GPUs, which this process is connected to.

    Attributes:
        folder: what it writes; goes with it.

    Raises:
        MachineError: it does not start, or something of it can be reached from elsewhere.
    """

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="ray-")
        self._reaper = subprocess.Popen(
            [sys.executable, "-m", __name__, self.folder],
            stdin=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        me = psutil.Process()
        before = {process.pid for process in me.children(recursive=True)}
        known = set(listening([me]))
        for name, value in {**ENVIRONMENT, "RAY_AUTH_TOKEN": secrets.token_hex(32)}.items():
            os.environ.setdefault(name, value)
        ray = installed()
        try:
            ray.init(
                "local", num_cpus=available_cores(), include_dashboard=False, log_to_driver=False,
                logging_level="ERROR", _node_ip_address=LOOPBACK, _temp_dir=self.folder,
                _system_config=CONFIG,
            )  # fmt: skip
        except Exception as fault:
            mend = "TMPDIR=/tmp, where a path is too long; or -S runtime.executor=local"
            raise MachineError(
                "Ray", f"{type(fault).__name__}: {fault}", "a cluster", mend
            ) from fault
        own = [each for each in me.children(recursive=True) if each.pid not in before]
        for process in own:
            print(process.pid, process.create_time(), file=self._reaper.stdin, flush=True)
        opened = set(listening([me, *own])) - known
        if beyond := sorted(each for each in opened if not is_loopback(each)):
            raise MachineError(
                "Ray", f"listens beyond this machine: {', '.join(beyond)}", "loopback alone",
                "unset RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER, and import ray nowhere before",
            )  # fmt: skip

    def stop(self) -> None:
        """Disconnect, and leave no process and no file."""
        ray = sys.modules.get("ray")
        if ray:
            ray.shutdown()
        self._reaper.communicate(f"{ENDED}\n")


def installed() -> Any:
    """Return the library.

    Raises:
        MachineError: it is not installed.
    """
    try:
        import ray
    except ImportError as fault:
        mend = "uv pip install -e '.[ray]'; or -S runtime.executor=local"
        raise MachineError("runtime.executor: ray", str(fault), "Ray", mend) from None
    return ray


def join(address: str) -> None:
    """Connect this process to a cluster.

    Raises:
        MachineError: it does not answer.
    """
    ray = installed()
    try:
        if found := PORT.search(address):  # Ray itself would try for minutes
            socket.create_connection((found[1], int(found[2])), PATIENCE).close()
        ray.init(address, log_to_driver=False, logging_level="ERROR")
    except Exception as fault:  # noqa: BLE001, Ray's own are of many kinds
        where, said = f"{ADDRESS}={address}", f"{type(fault).__name__}: {fault}"
        raise MachineError(where, said, "a cluster that answers", f"unset {ADDRESS}") from None


def listening(processes: Sequence[psutil.Process]) -> list[str]:
    """Return the addresses at which processes listen, `host:port`."""
    found = []
    for process in processes:
        if process.is_running():
            sockets = process.net_connections("inet")
            addresses = [each.laddr for each in sockets if each.status == psutil.CONN_LISTEN]
            found += [f"{address.ip}:{address.port}" for address in addresses]
    return sorted(found)


def is_loopback(address: str) -> bool:
    """Return whether `host:port` can be reached from this machine alone."""
    host = ipaddress.ip_address(address.rpartition(":")[0])
    mapped = getattr(host, "ipv4_mapped", None)
    return (mapped or host).is_loopback


def reap(folder: Path) -> None:
    """Wait for the end of standard input, when the driver has ended; then remove what is left of Ray."""
    told = sys.stdin.read().splitlines()
    processes = [line.split() for line in told if line != ENDED]
    for pid, created in processes:
        try:
            process = psutil.Process(int(pid))
            if process.create_time() == float(created):
                process.kill()
        except psutil.NoSuchProcess:
            continue
    end = time.monotonic()
    if ENDED not in told:  # killed: workers last for seconds; agents, if nobody told, for a minute
        end += 5.0 if processes else 90.0
    shutil.rmtree(folder, ignore_errors=True)
    while time.monotonic() < end:
        time.sleep(0.2)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    reap(Path(sys.argv[1]))
