"""Who waits for a lock, and who no longer wants to."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from assay.runs.lock import held, holder_of

WAITS = """
import signal, sys
from pathlib import Path
import polars
from assay.runs.lock import held
signal.siginterrupt(signal.SIGINT, False)  # as polars leaves it
with held(Path(sys.argv[1]), "busy"):
    print("held")
"""


def waiter(lock: Path) -> subprocess.Popen[str]:
    """Start a process that waits for a lock; return it once it waits."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
    started = subprocess.Popen(
        [sys.executable, "-c", WAITS, lock],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    signal.signal(signal.SIGINT, before)
    assert started.stdout
    assert started.stdout.readline().startswith("busy (process ")
    return started


def test_ctrl_c_ends_a_process_that_waits(tmp_path: Path) -> None:
    lock = tmp_path / "it.lock"
    with held(lock, ""):
        started = waiter(lock)
        started.send_signal(signal.SIGINT)
        said, errors = started.communicate(timeout=60)
    assert "KeyboardInterrupt" in errors
    assert not said


def test_who_waits_has_it_next_and_says_so_once(tmp_path: Path) -> None:
    lock = tmp_path / "it.lock"
    with held(lock, ""):
        started = waiter(lock)
        assert holder_of(lock)
    assert started.communicate(timeout=60)[0] == "held\n"
    assert not holder_of(lock)
