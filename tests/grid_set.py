"""A fusion grid on made-up pairs in a folder of its own: trainings of parts of a second, and no DVC."""

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
from ruamel.yaml import YAML

from assay.code.write import write_code
from assay.manifest.layout import Layout
from assay.manifest.storage import PixelStorage
from assay.manifest.table import write_table
from assay.params import read_params
from assay.params_check import laid_over
from assay.runs.files import file_digest
from assay.values import on_machine

ROOT = Path(__file__).parents[1]
FUSION, DATA = "hemoglobin-fusion", "hemoglobin.fusion"
PEOPLE, FOLDS, SIZE = 10, 2, 32
SMALL = {
    "model.levels_width": 4, "model.hidden": [4], "train.stored_views": 2, "train.epochs": 2,
    "train.frozen_epochs": 1, "train.phase2.epochs": 2, "train.phase2.frozen_epochs": 1,
}  # fmt: skip
# DVC's digests are those of the files at hand; the preflight is looked at elsewhere, and takes long.
BEFORE = """
import sys
from pathlib import Path
from tests import grid_set
import assay.search.inputs as asked
from assay.systems.hemoglobin.tasks.fusion import Fusion
asked.training_inputs = lambda root, task: grid_set.inputs(root)
Fusion.judge = lambda *_: None
"""
VERB = f"""{BEFORE}
from assay.__main__ import cli
cli(["grid", grid_set.FUSION, *sys.argv[1:]], prog_name="assay")
"""
STAGE = f"""{BEFORE}
from assay.contract.grid import GridRun
from assay.lookup import find_task
from assay.sections.machine import Runtime
task, root, own = find_task(grid_set.FUSION), Path.cwd(), grid_set.section(Path.cwd())
task.train_grid(GridRun(root, own, {{task.name: own}}, grid_set.inputs(root), "key", Runtime()))
"""


def make_grid_root(folder: Path, **changed: Any) -> Path:
    """Write pairs whose red is their person's Hb, and the project's parameters with a small grid."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".dvc").mkdir()
    random = np.random.default_rng(1)
    hb = random.uniform(8, 16, PEOPLE).round(1)
    own = random.integers(0, 255, (PEOPLE, 2, 2, SIZE, SIZE, 3), dtype=np.uint8)
    own[..., 0] = (hb * 12).astype(np.uint8)[:, None, None, None, None] + own[..., 0] % 16
    pairs = [(each, nail, eye) for each in range(PEOPLE) for nail in (0, 1) for eye in (0, 1)]
    people = np.array([each for each, _, _ in pairs])
    table = pl.DataFrame({
        "sample_id": [f"{each}-{nail}{eye}" for each, nail, eye in pairs],
        "group_id": [f"p{each}" for each in people], "hb": hb[people], "age": 20.0 + people,
        "gender": (people % 2).astype(float), "fold": people % FOLDS,
    })  # fmt: skip
    layout = Layout(DATA)
    stored = PixelStorage(DATA, "phantom", "images", SIZE, "stretch", ("nail", "conjunctiva"))
    facts = {"source": "phantom", "group_kind": "patient", "folds": FOLDS, **stored.facts()}
    write_table(folder / layout.trainval, table, facts)
    views = [np.stack([own[each, 0, nail], own[each, 1, eye]]) for each, nail, eye in pairs]
    np.save(folder / layout.trainval_pixels, np.stack(views))
    for name in ("requirements.lock", "search.yaml"):
        shutil.copy(ROOT / name, folder)
    small = {f"{FUSION}.{key}": value for key, value in {**SMALL, **changed}.items()}
    content = laid_over(read_params(ROOT / "params.yaml"), small)
    YAML().dump(content, folder / "params.yaml")
    with contextlib.chdir(folder):
        write_code("hemoglobin")
    return folder


def section(root: Path) -> Any:
    """Return the section of the grid."""
    content = read_params(root / "params.yaml")
    return on_machine(content[FUSION], content)


def inputs(root: Path) -> dict[str, str]:
    """Return path → digest of what the stage `train` of a grid reads."""
    layout = Layout(DATA)
    files = (layout.trainval, layout.trainval_pixels, Path(f"code/hemoglobin/train@{FUSION}.json"))
    return {str(each): file_digest(root / each) for each in files}


def start(root: Path, code: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Start `VERB` with arguments, or `STAGE`, in a process of its own; what it says goes to `log`."""
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    with (root / "log").open("ab") as log:
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.Popen(command, cwd=root, env=env, stdout=log, stderr=log)
