"""Processes that ask a registered model, forked from one that has imported MLflow, torch and timm.

Those imports are 7 of the 8 CPU seconds of such a process. The rest it does: it loads the model with
the code of the model's own commit, of which the one that forks has imported nothing. Run by its path,
this file is that one: a line of JSON on its input is a request, and a line on its output the status.
"""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any


def asked(command: Sequence[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
    """Do as `subprocess.run` of `python -I <script> …` does, by a fork."""
    assert command[1] == "-I", command
    script, *arguments = command[2:]
    own = f"/proc/{os.getpid()}/fd/"  # the other process was not handed our files
    with tempfile.NamedTemporaryFile() as errors:
        order = [script, *(each.replace("/dev/fd/", own) for each in arguments)]
        forker = _forker()
        print(json.dumps({"argv": order, "errors": errors.name}), file=forker.stdin, flush=True)
        code = int(forker.stdout.readline())
        return subprocess.CompletedProcess(command, code, b"", errors.read())


@cache
def _forker() -> Any:
    """Return the process that forks; it ends with the end of its input, this process's own end."""
    return subprocess.Popen(
        [sys.executable, "-I", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def serve() -> None:
    """Import, then fork for each line, until there are no more."""
    import mlflow.pyfunc
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
    import safetensors.torch  # noqa: F401
    import timm  # noqa: F401

    for line in sys.stdin:
        child = os.fork()
        if not child:
            _be(json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _be(order: dict[str, Any]) -> None:
    """Be the process that was asked for, to its end."""
    import traceback

    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.dup2(os.open(order["errors"], os.O_WRONLY), 2)
    sys.argv, code = order["argv"], 0
    try:
        runpy.run_path(str(Path(sys.argv[0])), run_name="__main__")
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
        code = 1
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    serve()
