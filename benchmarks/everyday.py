"""What a person waits for every day: the verbs' start, the file check, a repro with nothing to do.

    python benchmarks/everyday.py

Peer, naive way, Assay and limit in turn, in one run; CPU seconds (user + system) of whole processes,
their medians, and the ratios that the goals are about. Run it in a work tree whose pipeline is done.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROUNDS = 5
COMMANDS = {
    "python, nothing": [sys.executable, "-c", "pass"],
    "naive: mlflow --help": ["mlflow", "--help"],
    "peer: dvc --help": ["dvc", "--help"],
    "assay --help": ["assay", "--help"],
    "assay params": ["assay", "params"],
    "dvc status": ["dvc", "status"],
    "dvc repro": ["dvc", "repro"],
}
RATIOS = [
    ("assay --help", "python, nothing", "limit"),
    ("assay --help", "naive: mlflow --help", "naive"),
    ("assay --help", "peer: dvc --help", "peer"),
    ("dvc repro", "dvc status", "goal: at most 2"),
]


def cpu_seconds(command: list[str]) -> float:
    """Return user + system seconds of one run, children included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, env=clean)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure all commands in turn, and print medians and ratios."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for round_ in range(ROUNDS + 1):  # the first warms the caches and does not count
        for name, command in COMMANDS.items():
            seconds = cpu_seconds(command)
            if round_:
                times[name].append(seconds)
    for name, values in times.items():
        print(
            f"{name:24s} {statistics.median(values):6.2f} s   {min(values):.2f} … {max(values):.2f}"
        )
    for name, other, what in RATIOS:
        ratio = statistics.median(a / b for a, b in zip(times[name], times[other], strict=True))
        print(f"{name} / {other}: {ratio:.2f}  ({what})")


if __name__ == "__main__":
    main()
