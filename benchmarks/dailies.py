"""What a person waits for every day, beside an older build: demo, suite, no-op repro, a stage's start.

    python benchmarks/dailies.py [--against 62e2713] [demo] [unchanged] [start] [suite]

Both builds in clones of their own, each in the environment of its own lock (6 GB each, hard links to uv's
cache), in turn, on the same machine. Figures are CPU seconds (user + system, children included) and wall
seconds of whole processes, and their ratios. `epochs` is the time between a training's first and last
epoch, carried on to all of them, as the event logs say: on a quiet machine the CPU time of one thread.

Without names: demo, unchanged and start. `suite` costs an older build 45 CPU minutes. History at 300
experiments, copies at 10,000 images and memory of a mapped part have files of their own (`history.py`,
`similar.py`, `memory.py`), which take the older build's folder as `--src`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROUNDS = 3
SMALL_STAGES = ("split@hemoglobin.nail", "leakage@hemoglobin.nail")
# The second start of a process: what the first one imported does not count, nor what a stage then does.
START = """
import importlib, os, resource, sys
import dvc.api
name = os.environ["DVC_STAGE"].partition("@")[0]
dvc.api.params_show(stages=os.environ["DVC_STAGE"])
guard = importlib.import_module("assay.stages.guard").guard
launch = importlib.import_module("assay.stages.launch").launch
importlib.import_module("assay.stages." + name)
def cpu():
    own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in own)
for _ in range(2):
    before = cpu()
    guard(name)
    launch(*[lambda stage: None, ()][: launch.__code__.co_argcount])  # an older one takes `main` alone
    spent = cpu() - before
print(spent)
"""


@dataclass(frozen=True)
class Cost:
    """What one command took, in seconds."""

    cpu: float
    wall: float


def run(folder: Path, *command: str, **more: str) -> tuple[Cost, str]:
    """Run a command in a build's folder and environment; return its cost and what it printed."""
    dropped = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV")
    clean = {key: value for key, value in os.environ.items() if key not in dropped}
    path = f"{folder / '.venv' / 'bin'}{os.pathsep}{clean['PATH']}"
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env={**clean, "PATH": path, **more}, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"{command} in {folder} ended {done.returncode}\n{done.stdout[-4000:]}")
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(spent, wall), done.stdout


def build(folder: Path, revision: str) -> Path:
    """Clone the repository at a revision, and make the environment of its lock."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    subprocess.run(["git", "-C", str(folder), "checkout", "-q", revision], check=True)
    run(folder, "make", "environment")
    return folder


def epochs(folder: Path) -> float:
    """Return the seconds that all trainings of a build spent in epochs."""
    total = 0.0
    logs = (folder / ".assay").glob("[es]*/train@*/*.jsonl")  # of older builds in spool/
    for log in logs:
        events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        times = [each["time"] for each in events if each["event"] == "epoch"]
        if len(times) > 1:
            total += (times[-1] - times[0]) * len(times) / (len(times) - 1)
    return total


def told(what: str, older: float, newer: float, goal: str = "") -> None:
    """Print one row."""
    print(f"{what:44s} {older:9.2f} {newer:9.2f} {newer / older:7.3f} ×   {goal}", flush=True)


def demo(older: Path, newer: Path) -> None:
    """Measure `make demo`, whole and without the trainings' epochs."""
    one, _ = run(older, "make", "demo")
    other, _ = run(newer, "make", "demo")
    trained = (epochs(older), epochs(newer))
    told("demo, CPU s", one.cpu, other.cpu, "≤ 0.6")
    told("demo, wall s", one.wall, other.wall, "≤ 0.4, aiming at 240 s on a quiet machine")
    told("demo, epochs of trainings, s", *trained)
    told("demo without epochs, CPU s", one.cpu - trained[0], other.cpu - trained[1], "≤ 0.3")


def suite(older: Path, newer: Path) -> None:
    """Measure `make test`, the environment there."""
    real = os.environ.get("ASSAY_REAL_DATA", str(ROOT.parent / "shared" / "data"))
    for folder in (older, newer):
        run(folder, "make", ".venv/.dev")
    one, _ = run(older, "make", "test", ASSAY_REAL_DATA=real)
    other, _ = run(newer, "make", "test", ASSAY_REAL_DATA=real)
    told("make test, CPU s", one.cpu, other.cpu)
    told("make test, wall s", one.wall, other.wall, "newer ≤ 420 s on two quiet cores")


def in_turn(older: Callable[[], float], newer: Callable[[], float]) -> tuple[float, float]:
    """Return the medians of both, measured one after the other; the first round does not count."""
    pairs = [(older(), newer()) for _ in range(ROUNDS + 1)][1:]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def spent(folder: Path, verb: str) -> float:
    """Return the CPU seconds of one `dvc` call."""
    return run(folder, "dvc", verb)[0].cpu


def start_cost(folder: Path, stage: str) -> float:
    """Return the CPU seconds of a stage's second start in a process."""
    more = {"DVC_STAGE": stage, "DVC_ROOT": str(folder), "PYTHONPATH": "src"}
    return float(run(folder, "python", "-c", START, **more)[1].split()[-1])


def unchanged(older: Path, newer: Path) -> None:
    """Measure `dvc repro` and `dvc status` of a pipeline that has run."""
    for verb, goal in (("repro", "≤ 0.35"), ("status", "")):
        one, other = (partial(spent, folder, verb) for folder in (older, newer))
        told(f"dvc {verb}, nothing changed, CPU s", *in_turn(one, other), goal)


def start(older: Path, newer: Path) -> None:
    """Measure what a small stage costs before its work, imports not counted."""
    for stage in SMALL_STAGES:
        one, other = (partial(start_cost, folder, stage) for folder in (older, newer))
        told(f"start of {stage}, CPU s", *in_turn(one, other), "≤ 0.25")


ROWS = {"demo": demo, "unchanged": unchanged, "start": start, "suite": suite}


def main() -> None:
    """Make both builds, and print each row that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", help=", ".join(ROWS))
    parser.add_argument("--against", default="62e2713", help="the older build, a revision")
    parser.add_argument("--keep", type=Path, help="where both builds stay; made where absent")
    asked = parser.parse_args()
    rows = asked.rows or ["demo", "unchanged", "start"]
    if unknown := set(rows) - set(ROWS):
        parser.error(f"{', '.join(sorted(unknown))}: no such row, one of {', '.join(ROWS)}")
    place = asked.keep or Path(tempfile.mkdtemp(prefix="dailies-"))
    builds = {"older": asked.against, "newer": "HEAD"}
    try:
        older, newer = (
            place / name if (place / name).exists() else build(place / name, revision)
            for name, revision in builds.items()
        )
        print(f"{'':44s} {asked.against:>9.9s} {'HEAD':>9s}   ratio     goal")
        for row in rows:
            ROWS[row](older, newer)
    finally:
        if asked.keep is None:
            shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
