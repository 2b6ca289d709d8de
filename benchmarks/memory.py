"""Train on, and evaluate, a mapped part far larger than memory: how much anonymous memory that takes.

    python benchmarks/memory.py [GB of the part, 20] [another checkout, to be measured too …]

The part is a sparse file of 160 px images with its table, as the split leaves it: one row in 64 holds
noise, the others are holes, so that it takes a few hundred MB of disk; it is gone afterwards. On it the
stages' own `main` runs: `train@hemoglobin-nail` with the smallest backbone, one epoch that ends after
BATCHES batches drawn from all of the training rows (Lightning's `limit_train_batches`; all else is as
always, preflight and the whole validation fold included), then `evaluate`. A process' pages that no file
holds are its `RssAnon`, summed with its children's and read twenty times a second: what is mapped is the
system's cache, and is given back when somebody needs it. A process that passes CAP is stopped, for the
sake of whoever else lives here, and told so. CPU seconds are of whole processes, imports included.
Goal: at most 2 GB; the same weights and scores from every checkout.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
DATA, TASK = "hemoglobin.nail", "hemoglobin-nail"
STAGES = {  # and a file that each writes
    "train": Path("models", TASK, "weights.safetensors"),
    "evaluate": Path("reports", TASK, "scores.csv"),
}
SIZE, FOLDS, SHOWN = 160, 9, 64
BATCHES, CAP, GB = 200, 6.0, 1e9


def write_part(folder: Path, gigabytes: float) -> int:
    """Write table and images of so many rows that they fill it, and return the number of rows."""
    import polars as pl

    from assay.manifest.layout import Layout
    from assay.manifest.storage import PixelStorage
    from assay.manifest.table import write_table

    layout = Layout(DATA)
    count = int(gigabytes * GB / (SIZE * SIZE * 3))
    (folder / layout.folder).mkdir(parents=True)
    whole = np.lib.format.open_memmap(
        folder / layout.trainval_pixels, "w+", np.uint8, (count, SIZE, SIZE, 3)
    )
    random, rows = np.random.default_rng(0), np.arange(0, count, SHOWN)
    # Brighter is more Hb; where nothing is written all rows are black, and have the middle one.
    hb = np.full(count, 12.0)
    hb[rows] = np.linspace(6, 18, len(rows))
    for row in rows:
        whole[row] = random.integers(0, int(14 * hb[row]), whole.shape[1:], dtype=np.uint8)
    whole.flush()
    names = [f"s{row}" for row in range(count)]
    table = pl.DataFrame({
        "sample_id": names, "group_id": names, "hb": hb, "fold": np.arange(count) // SHOWN % FOLDS,
    })  # fmt: skip
    stored = PixelStorage(DATA, "benchmark", "", SIZE, "stretch").facts()
    facts = {"group_kind": "patient", "source": "benchmark", **stored}
    write_table(folder / layout.trainval, table, facts)
    return count


def run_stage(name: str) -> None:
    """Run a stage's own `main` in the working folder, from the code on the path."""
    import importlib

    import lightning
    from ruamel.yaml import YAML

    from assay.runs.events import EventLog
    from assay.stages.launch import Stage

    section = YAML(typ="safe").load(ROOT / "params.yaml")[TASK]
    section["model"] |= {"backbone": "test_vit"}
    section["train"] |= {"epochs": 1, "warmup_epochs": 0, "batch_size": 64, "augment": []}
    section["evaluate"] |= {"n_resamples": 100}
    lightning.Trainer = functools.partial(lightning.Trainer, limit_train_batches=BATCHES)
    here = Path.cwd()
    Path("models", TASK).mkdir(parents=True, exist_ok=True)
    stage = Stage(
        f"{name}@{TASK}", TASK, here, {TASK: section}, {}, "benchmark", EventLog(here / "events")
    )
    importlib.import_module(f"assay.stages.{name}").main(stage)


def anonymous(pid: int) -> float:
    """Return the anonymous memory of a process and its children, GB; what has ended has none."""
    found = 0.0
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("RssAnon:"):
                found += int(line.split()[1]) * 1024 / GB
        for task in Path(f"/proc/{pid}/task").iterdir():
            children = (task / "children").read_text(encoding="utf-8").split()
            found += sum(anonymous(int(child)) for child in children)
    return found


def measured(checkout: Path, name: str, folder: Path) -> tuple[float, float, str]:
    """Return the most anonymous memory of a stage, GB, its CPU seconds, and how it ended."""
    command = [sys.executable, __file__, "--stage", name]
    path = {"PYTHONPATH": str(checkout / "src"), "PATH": os.environ["PATH"]}
    log, before, most = folder / f"{name}.log", cpu_seconds(), 0.0
    with log.open("w", encoding="utf-8") as stream:
        running = subprocess.Popen(command, cwd=folder, env=path, stdout=stream, stderr=stream)
        while running.poll() is None:
            most = max(most, anonymous(running.pid))
            if most > CAP:
                running.kill()
                running.wait()
                return most, cpu_seconds() - before, "stopped: it goes on growing"
            time.sleep(0.05)
    last = log.read_text(encoding="utf-8").strip().splitlines()[-1:]
    ended = "" if running.returncode == 0 else f"failed: {' '.join(last)}"
    return most, cpu_seconds() - before, ended


def cpu_seconds() -> float:
    """Return user + system seconds of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(gigabytes: float, checkouts: list[Path]) -> None:
    """Measure each checkout's stages on one part, and print the peaks."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        count = write_part(folder, gigabytes)
        print(f"a part of {gigabytes:g} GB, {count:,} images of {SIZE} px", flush=True)
        for checkout in checkouts:
            for name, written in STAGES.items():
                peak, seconds, ended = measured(checkout, name, folder)
                wrote = folder / written
                said = ended or f"{wrote.name} {hashlib.md5(wrote.read_bytes()).hexdigest()[:8]}"
                print(
                    f"  {checkout.name:10s} {name:9s} {peak:6.2f} GB {seconds:6.0f} s  {said}",
                    flush=True,
                )
                if ended:
                    break
    print("goal: at most 2 GB; equal files from all checkouts")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--stage"]:
        run_stage(sys.argv[2])
    else:
        size = float(sys.argv[1]) if sys.argv[1:] else 20.0
        main(size, [ROOT, *(Path(other).resolve() for other in sys.argv[2:])])
