"""Keep the metrics of a training: into MLflow as it runs, or into a journal that is synced afterwards.

    python benchmarks/metrics.py [per-step values, 100] [values otherwise, 5000]

Naive: MLflow on SQLite, `log_metric` at each step. Peer: `log_batch` of 1,000 values. Assay: one
`runs.events` line an epoch of five values, which is all that a training waits for, then what `assay
sync` does with the points, `tracking.sync._log_points`, into the same store. Limit: appending JSON lines
to an open file. CPU and wall microseconds a value, medians of rounds in turn. Last, a writer is killed
with SIGKILL ten times, and the lines it had reported are looked for in its journal.
Goal: naive at least 50 × Assay, nothing lost.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

from assay.runs.events import EventLog, read_events
from assay.tracking.projection import Point
from assay.tracking.store import open_store
from assay.tracking.sync import _log_points

ROUNDS, KILLS = 3, 10
NAMES = ("train_loss", "valid_loss", "mae", "rmse", "r2")
WRITER = """
import sys
from pathlib import Path
from assay.runs.events import EventLog
events, epoch = EventLog(Path(sys.argv[1])), 0
while True:
    events.note("epoch", {"epoch": epoch})
    print(epoch, flush=True)
    epoch += 1
"""


def epochs(values: int) -> Iterator[dict[str, float]]:
    """Yield the rows of a history that holds this many values."""
    for epoch in range(values // len(NAMES)):
        yield {"epoch": epoch, **dict.fromkeys(NAMES, 0.1 + epoch / 7)}


def points(values: int) -> list[Point]:
    """Return the same as the points that sync logs."""
    return [
        Point(name, row[name], int(row["epoch"]), 0) for row in epochs(values) for name in NAMES
    ]


def append(path: Path, values: int) -> None:
    """Append JSON lines to one open file."""
    with path.open("a", encoding="utf-8") as stream:
        for row in epochs(values):
            stream.write(json.dumps(row) + "\n")
            stream.flush()


def ways(place: Path, few: int, many: int) -> dict[str, tuple[int, Callable[[], object]]]:
    """Return each way with the number of values it keeps; each call begins a new run."""
    from mlflow.entities import Metric

    client, number = open_store(place), count()
    experiment = client.create_experiment("benchmark")

    def new_run() -> str:
        return client.create_run(experiment).info.run_id

    def naive() -> None:
        run = new_run()
        for point in points(few):
            client.log_metric(run, point.name, point.value, step=point.step)

    def peer() -> None:
        run = new_run()
        metrics = [Metric(each.name, each.value, each.time, each.step) for each in points(many)]
        for first in range(0, many, 1000):
            client.log_batch(run, metrics=metrics[first : first + 1000])

    def journal() -> None:
        journal = EventLog(place / f"{next(number)}.jsonl")
        for row in epochs(many):
            journal.note("epoch", row)

    return {
        "naive: log_metric": (few, naive),
        "peer: log_batch": (many, peer),
        "Assay: journal": (many, journal),
        "Assay: sync": (many, lambda: _log_points(client, new_run(), points(many))),
        "limit: JSON lines": (many, lambda: append(place / "lines.jsonl", many)),
    }


def lost_by_kills(place: Path) -> tuple[int, int]:
    """Kill a writer again and again; return lines reported and lines missing."""
    reported = missing = 0
    for kill in range(KILLS):
        path = place / f"killed{kill}.jsonl"
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        seen = [writer.stdout.readline() for _ in range(50 + 20 * kill)]
        os.kill(writer.pid, signal.SIGKILL)
        seen += writer.stdout.readlines()
        writer.wait()
        kept = {event["epoch"] for event in read_events(path)}
        told = {int(line) for line in seen if line.endswith("\n")}
        reported, missing = reported + len(told), missing + len(told - kept)
    return reported, missing


def main() -> None:
    """Measure all ways in turn; print microseconds a value, ratios, and what kills cost."""
    few, many = [int(value) for value in sys.argv[1:]] or (100, 5000)
    with tempfile.TemporaryDirectory() as folder:
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        place = Path(folder)
        chosen = ways(place, few, many)
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in chosen}
        for round_ in range(ROUNDS + 1):  # the first warms the caches and does not count
            for name, (values, way) in chosen.items():
                cpu, wall = time.process_time(), time.perf_counter()
                way()
                cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
                if round_:
                    times[name].append((cpu / values, wall / values))
        journal, synced = times["Assay: journal"], times["Assay: sync"]
        times["Assay: both"] = [
            (a[0] + b[0], a[1] + b[1]) for a, b in zip(journal, synced, strict=True)
        ]
        reported, missing = lost_by_kills(place)
    for name, measured in times.items():
        cpu, wall = (1e6 * statistics.median(part) for part in zip(*measured, strict=True))
        pairs = list(zip(times["naive: log_metric"], measured, strict=True))
        ratios = [statistics.median(a[i] / b[i] for a, b in pairs) for i in (0, 1)]
        print(
            f"{name:20s} CPU {cpu:9.1f} µs  wall {wall:9.1f} µs a value"
            f"   naive / this: CPU {ratios[0]:.0f}, wall {ratios[1]:.0f}"
        )
    print(f"{KILLS} kills: {reported:,} lines reported as written, {missing} missing")
    print("goal: naive / Assay at least 50, nothing missing")


if __name__ == "__main__":
    main()
