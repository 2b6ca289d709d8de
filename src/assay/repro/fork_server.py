"""`python -m assay.repro.fork_server <folder> <library>…`: imports libraries once, and forks stages.

A chain of processes, each with one library more than the one that it was forked from, and a socket in the
folder by that library's name. Who asks there (see `forked`) hands over its streams and its environment.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import select
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from assay.runs.parent import die_with_parent

# What differs from stage to stage, and what its guard takes away.
OWN = ("DVC_", "ASSAY_", "PWD", "OLDPWD", "SHLVL", "_", "MLFLOW_RUN_ID")
QUIET = {"GX_ANALYTICS_ENABLED": "false"}  # read at the import: here, before the gate sets it


@dataclass
class _Forked:
    """A stage that was forked: its process, and the connection of the process that waits for it."""

    process: int
    connection: socket.socket


class _Server:
    """Forks stages for whoever asks at one socket."""

    def __init__(self, listener: socket.socket, environment: Mapping[str, str]) -> None:
        self.listener = listener
        self.environment = environment
        self.ends: dict[int, _Forked] = {}  # readable once the process has ended
        self.gone: dict[socket.socket, _Forked] = {}  # readable once nobody waits any more

    def serve(self) -> dict[str, Any] | None:
        """Serve until standard input ends; return what to run in a forked process alone."""
        watched: list[Any] = [sys.stdin, self.listener]
        while watched or self.ends:
            for each in select.select([*watched, *self.ends, *self.gone], [], [])[0]:
                if each is sys.stdin:
                    watched = []
                elif each is self.listener:
                    asked = self._accept()
                    if asked:
                        return asked
                elif each in self.ends:
                    self._end(each)
                elif each in self.gone:
                    os.kill(self.gone.pop(each).process, signal.SIGKILL)
        return None

    def _accept(self) -> dict[str, Any] | None:
        connection, _ = self.listener.accept()
        with suppress(OSError, ValueError):
            _, streams, _, _ = socket.recv_fds(connection, 1, 3)
            asked: dict[str, Any] = json.loads(connection.makefile().readline())
            if self._is_same(asked):
                process = os.fork()
                if not process:
                    for number, stream in enumerate(streams):
                        os.dup2(stream, number)
                    return asked
                forked = _Forked(process, connection)
                self.ends[os.pidfd_open(process)] = self.gone[connection] = forked
                connection.sendall(f"{process}\n".encode())
            for stream in streams:
                os.close(stream)
        if connection not in self.gone:
            connection.close()
        return None

    def _is_same(self, asked: Mapping[str, Any]) -> bool:
        """Return whether a stage would have imported what stands here, as it stands here."""
        return asked["prefix"] == sys.prefix and (
            _shared(asked["environment"]) == _shared(self.environment)
        )

    def _end(self, end: int) -> None:
        forked = self.ends.pop(end)
        os.close(end)
        status = os.waitstatus_to_exitcode(os.waitpid(forked.process, 0)[1])
        self.gone.pop(forked.connection, None)
        with suppress(OSError):
            forked.connection.sendall(f"{status if status >= 0 else 128 - status}\n".encode())
        forked.connection.close()


def _shared(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith(OWN)}


def _serve(folder: Path, chain: list[str]) -> dict[str, Any] | None:
    """Import each library once somebody needs it, in a process each; return what a forked stage is."""
    environment = dict(os.environ)
    os.environ.update(QUIET)
    listeners = []
    for name in chain:
        listeners.append(socket.socket(socket.AF_UNIX))
        listeners[-1].bind(str(folder / name))
        listeners[-1].listen()
    for number, name in enumerate(chain):
        if sys.stdin in select.select([sys.stdin, *listeners[number:]], [], [])[0]:
            return None
        import_module(name.replace("-", "_"))
        deeper = None if name == chain[-1] else os.fork()
        if deeper != 0:
            gc.freeze()  # what every stage shares is not written to by its garbage collector
            asked = _Server(listeners[number], environment).serve()
            if deeper and not asked:
                os.waitpid(deeper, 0)  # so that its time counts as time of this process
            return asked
        die_with_parent()
    return None


if __name__ == "__main__":
    die_with_parent()
    asked = _serve(Path(sys.argv[1]), sys.argv[2:])
    if asked:
        sys.argv = [sys.argv[0], asked["stage"]]
        os.environ.update(asked["environment"])
        runpy.run_module("assay.stages", run_name="__main__", alter_sys=True)
