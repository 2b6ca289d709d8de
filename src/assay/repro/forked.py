"""Stages forked from processes that have imported their libraries already, for `assay repro` alone.

Of 607 CPU seconds of the demo, some 90 went into the imports of torch, torchvision, timm, Lightning and
Great Expectations, by 23 processes that each import what the one before them had imported. Here a
library is imported once (see `fork_server`), and a stage is forked from the process that has most of
what the stage has declared, and nothing else. It runs as it does otherwise: its own guard, its own
code, its own environment, and what it prints goes where DVC reads it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from assay.code.write import code_file
from assay.runs.files import read_json

CHAINS = (("torch", "torchvision", "timm", "lightning"), ("great-expectations",))
# Whoever has touched a GPU cannot be forked, and libraries may do so when they are imported.
ACCELERATORS = ("dev/nvidiactl", "dev/dxg", "dev/kfd")


def is_possible() -> bool:
    """Return whether stages can be forked here, and watched: Linux since 5.3, and no accelerator."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return not any(Path("/", each).exists() for each in ACCELERATORS)


@contextmanager
def fork_servers(root: Path) -> Iterator[dict[str, str]]:
    """Start a server for each chain; give what a stage's environment needs to find them.

    Nothing is imported before somebody asks. On a machine with an accelerator, and where the kernel has
    no such calls, there is none, and every stage imports for itself.
    """
    if not is_possible():
        yield {}
        return
    # A socket's path ends at 107 bytes.
    with tempfile.TemporaryDirectory(prefix="assay-") as folder:
        environment = os.environ | {"PYTHONPATH": "src", "PYTHONUNBUFFERED": "1"}
        servers = [
            subprocess.Popen(
                [sys.executable, "-m", "assay.repro.fork_server", folder, *chain],
                cwd=root, env=environment, stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
            for chain in CHAINS
        ]  # fmt: skip
        try:
            yield {"ASSAY_FORK_SERVER": folder}
        finally:
            for server in servers:
                server.communicate()  # its input ends, and then it does


def run_forked(folder: str, stage: str) -> int | None:
    """Let a server run a stage of this process, and wait for it.

    Args:
        folder: of the servers.
        stage: `train`, `evaluate`, …

    Returns:
        Its status; None where nothing was run: no server holds what it imports, or another environment.
    """
    path = _socket_for(os.environ["DVC_STAGE"], folder)
    if path is None:
        return None
    with socket.socket(socket.AF_UNIX) as connection:
        answers = connection.makefile()
        process = ""
        with suppress(OSError):  # nobody there, or it died over its imports
            _ask(connection, path, stage)
            process = answers.readline()
        return _awaited(int(process), answers) if process else None


def _socket_for(stage: str, folder: str) -> Path | None:
    """Return the socket of the process with the most libraries that a stage has all declared."""
    with suppress(OSError, ValueError, KeyError):
        declared = read_json(code_file(stage))["distributions"]
        for chain in CHAINS:
            depth = next((n for n, name in enumerate(chain) if name not in declared), len(chain))
            if depth:
                return Path(folder, chain[depth - 1])
    return None


def _ask(connection: socket.socket, path: Path, stage: str) -> None:
    """Ask for a stage that prints where this process does."""
    asked = {"stage": stage, "prefix": sys.prefix, "environment": dict(os.environ)}
    connection.connect(str(path))
    socket.send_fds(connection, [b"\n"], [0, 1, 2])
    connection.sendall(json.dumps(asked).encode() + b"\n")


def _awaited(process: int, answers: TextIO) -> int:
    """Return the status of a stage that runs elsewhere; what interrupts this process interrupts it."""
    while True:
        try:
            return int(answers.readline() or 128 + signal.SIGKILL)
        except KeyboardInterrupt:
            os.kill(process, signal.SIGINT)
