"""A study of the toy task in a folder of its own: data made here, no DVC, seconds a trial at most."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from assay.code.write import write_code
from assay.manifest.layout import Layout
from assay.manifest.storage import PixelStorage
from assay.manifest.table import write_table
from assay.params import read_params
from assay.search.plan import StudyPlan
from assay.search.results import StudyResults, read_results
from assay.search.storage import open_study
from assay.search.worker import work
from assay.values import on_machine

ROOT = Path(__file__).parents[1]
TOY = "toy-level"
SEARCH = """
import sys
from pathlib import Path
from assay.jobs.display import Display
from assay.runs.console import make_console
from assay.search.plan import read_plan
from assay.search.pool import run_workers
from assay.search.storage import open_study
plan, root, (wanted, workers) = read_plan(Path(sys.argv[1])), Path.cwd(), map(int, sys.argv[2:])
display = Display(make_console(), "trial", wanted)
run_workers(open_study(plan, root), plan, root, workers, display)
"""
STUDY: dict[str, Any] = {
    "objectives": {"mae": "minimize"},
    "space": {"train.lr": {"low": 0.001, "high": 0.1, "log": True}},
    "fixed": {"train.epochs": 3},
    "sampler": "tpe", "pruner": "none", "trials": 4, "seed": 1,
}  # fmt: skip


def make_root(folder: Path) -> Path:
    """Write the training part of grey squares, 20 sheets of two; there is no test part at all."""
    random = np.random.default_rng(1)
    levels = np.repeat(random.uniform(size=20), 2)
    grey = 20 + 200 * levels[:, None, None, None] + random.normal(0, 10, (40, 16, 16, 1))
    images = np.repeat(grey.clip(0, 255).astype(np.uint8), 3, axis=-1)
    table = pl.DataFrame({
        "sample_id": [f"s{number}" for number in range(40)],
        "group_id": [f"g{number // 2}" for number in range(40)],
        "level": levels.round(3),
        "fold": [number // 2 % 4 for number in range(40)],
    })  # fmt: skip
    layout = Layout("toy")
    stored = PixelStorage("toy", "phantom", "images", 16, "stretch").facts()
    facts = {"source": "phantom", "group_kind": "sample", **stored}
    write_table(folder / layout.trainval, table, facts)
    np.save(folder / layout.trainval_pixels, images)
    own_source(folder)
    shutil.copy(ROOT / "requirements.lock", folder)
    (folder / "params.yaml").write_text("runtime: {checkpoint_every: 1}\n")
    with contextlib.chdir(folder):
        write_code("toy")
    return folder


def toy_plan(root: Path, name: str = "quick", **declared: Any) -> StudyPlan:
    """Write the plan of a toy study; what is named differs from `STUDY`."""
    section = read_params(ROOT / "examples" / "toy" / "params.yaml")[TOY]
    section = on_machine(section, read_params(ROOT / "params.yaml"))
    plan = StudyPlan(TOY, name, STUDY | declared, section, {"data/toy": "1"})
    plan.write(root)
    return plan


def run(root: Path, name: str = "quick", **declared: Any) -> StudyResults:
    """Carry a toy study out in this process."""
    plan = toy_plan(root, name, **declared)
    work(plan.folder(root), plan.budget(None))
    return results(plan, root)


def results(plan: StudyPlan, root: Path) -> StudyResults:
    """Return what came of a study so far."""
    return read_results(plan, open_study(plan, root))


def own_source(folder: Path) -> Path:
    """Return a copy of the package with the toy in it, for processes."""
    package = folder / "src" / "assay"
    shutil.copytree(ROOT / "src" / "assay", package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "examples" / "toy", package / "systems" / "toy")
    return package.parent


def start(
    source: Path, root: Path, plan: StudyPlan, trials: int, workers: int, **more: str
) -> subprocess.Popen[str]:
    """Start a search in a process of its own."""
    command = [sys.executable, "-c", SEARCH, str(plan.folder(root)), str(trials), str(workers)]
    env = {**os.environ, "PYTHONPATH": str(source), **more}
    return subprocess.Popen(
        command, cwd=root, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
