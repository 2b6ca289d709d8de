"""Search with and without pruning, with a second worker, and what the recorder costs a trial.

    python benchmarks/search.py [trials, 16] [epochs, 24]

One fixed study on a phantom of grey squares that this script makes itself (a small network, two
parameters): the same seed, so the same first draws. Told are: epochs trained until the best value of
the study without pruning is reached within 2 %, and in all; wall and CPU seconds with 1 and with 2
workers; CPU seconds of the recorder a trial, in a fresh SQLite store, and when it has nothing to add.
Goals: fewer epochs with pruning for the same best; 2 workers at least 1.5 times as fast where two cores
are free; the recorder below 0.5 s a trial, none of them the trainings' own.
"""

from __future__ import annotations

import contextlib
import io
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import assay.systems  # noqa: E402

assay.systems.__path__.append(str(ROOT / "examples"))  # the toy task

from tests.studies import make_root, own_source, results, start, toy_plan  # noqa: E402

from assay.search.objective import CURVE  # noqa: E402
from assay.search.pictures import draw  # noqa: E402
from assay.search.plan import StudyPlan  # noqa: E402
from assay.search.record import PICTURES, record  # noqa: E402
from assay.search.results import StudyResults, values_of  # noqa: E402
from assay.search.storage import open_study  # noqa: E402
from assay.tracking.store import open_store  # noqa: E402

SPACE = {
    "train.lr": {"low": 1e-4, "high": 0.3, "log": True},
    "model.channels": {"low": 2, "high": 16},
}
PRUNER = {"kind": "median", "startup": 4, "epochs": 4}
NEAR = 1.02  # of the best value


def study(root: Path, trials: int, epochs: int, name: str, **more: Any) -> StudyPlan:
    """Return the fixed study."""
    return toy_plan(
        root, name, space=SPACE, trials=trials, fixed={"train.epochs": epochs}, seed=7, **more
    )


def carried_out(
    source: Path, root: Path, plan: StudyPlan, workers: int
) -> tuple[StudyResults, float, float]:
    """Return what came of it, with wall and CPU seconds of driver and workers."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    process = start(source, root, plan, plan.study.trials, workers, OMP_NUM_THREADS="1")
    said, _ = process.communicate()
    if process.returncode:
        raise SystemExit(said)
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return results(plan, root), wall, cpu


def epochs_until(found: StudyResults, goal: float) -> tuple[int, int]:
    """Return the epochs trained until a trial reached `goal`, and all of them; 0 where none did."""
    total, until = 0, 0
    for trial in found.trials:
        total += len(trial.user_attrs[CURVE])
        values = values_of(trial)
        if not until and values and values[0] <= goal:
            until = total
    return until, total


def recorder(root: Path, plan: StudyPlan) -> tuple[float, float, float]:
    """Return CPU seconds a trial, of a second time, and of the pictures."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        open_store(root)  # a store is made once in a checkout's life
        study = open_study(plan, root)
        count, times = 0, []
        for _ in range(2):
            began = time.process_time()
            count = record(study, plan, root) or count
            times.append(time.process_time() - began)
        began = time.process_time()
        draw(study, results(plan, root), plan.folder(root) / PICTURES)
    return times[0] / count, times[1], time.process_time() - began


def main() -> None:
    """Measure, and print."""
    trials, epochs = [int(value) for value in sys.argv[1:]] or (16, 24)
    with tempfile.TemporaryDirectory() as place:
        source, root = own_source(Path(place)), make_root(Path(place) / "root")
        (root / ".dvc").mkdir()
        whole = study(root, trials, epochs, "whole")
        pruned = study(root, trials, epochs, "pruned", pruner=PRUNER)
        print(f"{trials} trials of {epochs} epochs, TPE, one seed")
        first, wall, cpu = carried_out(source, root, whole, 1)
        goal = first.front[0].values[0] * NEAR
        for name, plan in (("no pruning", whole), ("median", pruned)):
            found, seconds, used = (
                (first, wall, cpu) if plan is whole else carried_out(source, root, plan, 1)
            )
            until, total = epochs_until(found, goal)
            print(
                f"  {name:11s} {found.best_line():34s} near the best after {until or 'never':>5} epochs,"
                f" {total:4d} in all · {seconds:5.1f} s, {used:5.1f} s CPU · {found.counts()}"
            )
        two = study(root, trials, epochs, "two")
        found, seconds, used = carried_out(source, root, two, 2)
        print(f"  2 workers   {found.best_line():34s} {seconds:.1f} s, {used:.1f} s CPU")
        print(f"  1 / 2 workers: {wall / seconds:.2f} of wall time, {os.cpu_count()} cores, load"
              f" {os.getloadavg()[0]:.1f}")  # fmt: skip
        each, again, pictures = recorder(root, whole)
        print(f"  recorder: {each:.3f} s CPU a trial; with nothing to add {again:.3f} s; pictures"
              f" {pictures:.1f} s")  # fmt: skip


if __name__ == "__main__":
    main()
