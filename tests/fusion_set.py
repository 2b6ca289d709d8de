"""Made-up pairs of photographs in which red follows Hb, and trainings of the fusion on them; no DVC."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import polars as pl

from assay.code.write import training_file
from assay.contract.grid import GridRun
from assay.learning.determinism import set_determinism
from assay.manifest.layout import Layout
from assay.manifest.parts import validation_fold
from assay.manifest.rows import Rows
from assay.manifest.storage import PixelStorage
from assay.manifest.table import write_table
from assay.params import read_params
from assay.runs.events import EventLog
from assay.runs.files import write_json
from assay.runs.run import Run, Watch
from assay.sections.machine import Runtime
from assay.systems.hemoglobin.tasks.fusion import FUSION
from assay.systems.hemoglobin.tasks.fusion_grid import member_params, store_views
from assay.systems.hemoglobin.tasks.fusion_member import MEMBER
from assay.systems.hemoglobin.tasks.fusion_params import MemberParams, configurations
from assay.values import on_machine

ROOT = Path(__file__).parents[1]
DATA, TASK = "hemoglobin.fusion", "hemoglobin-fusion"
VIEWS = ("nail", "conjunctiva")
PEOPLE, FOLDS, SIZE = 9, 3, 32


def make_rows(people: int = PEOPLE, folds: int = FOLDS, size: int = SIZE, seed: int = 0) -> Rows:
    """Return four rows a person: two nails by two conjunctivas, so that each photograph stands in two."""
    random = np.random.default_rng(seed)
    hb = random.uniform(8, 16, people).round(1)
    photographs = random.integers(0, 256, (people, 2, 2, size, size, 3), dtype=np.uint8)
    photographs[..., 0] = (hb * 12)[:, None, None, None, None] + random.integers(
        0, 20, photographs.shape[:-1]
    )
    which = [(one, nail, eye) for one in range(people) for nail in (0, 1) for eye in (0, 1)]
    person = np.array([one for one, _, _ in which])
    return Rows(
        {
            "nail": np.stack([photographs[one, 0, nail] for one, nail, _ in which]),
            "conjunctiva": np.stack([photographs[one, 1, eye] for one, _, eye in which]),
        },
        {
            "sample_id": np.array([f"{one}-{nail}{eye}" for one, nail, eye in which]),
            "group_id": np.array([f"p{one:02d}" for one in person]),
            "hb": hb[person],
            "age": 20.0 + 3 * person,
            "gender": (person % 2).astype(float),
            "fold": person % folds,
        },
    )


def section_of(train: Mapping[str, Any] | None = None, **model: Any) -> dict[str, Any]:
    """Return the task's section as a stage is handed it; tiny, unless told otherwise."""
    content = read_params(ROOT / "params.yaml")
    section = copy.deepcopy(on_machine(content[TASK], {"machine": content["machine"]}))
    section["model"] |= {"nail": ["test_resnet"], "conjunctiva": ["test_byobnet"], **model}
    short = {"epochs": 2, "frozen_epochs": 1, "head_warmup_epochs": 0}
    section["train"]["phase2"] |= short
    section["train"] |= {**short, "stored_views": 3, **(train or {})}
    return section


def member(
    phase: int = 1, demographics: bool = True, section: Mapping[str, Any] | None = None
) -> MemberParams:
    """Return the parameters of the first configuration of this kind."""
    every = configurations(section or section_of())
    return next(
        member_params(own)
        for own in every.values()
        if (own["model"]["phase"], own["model"]["demographics"]) == (phase, demographics)
    )


def make_root(folder: Path, rows: Rows | None = None) -> Path:
    """Write training rows as the split leaves them, a stand-in of the code, and no test part at all."""
    set_determinism(1)
    rows, layout = rows or make_rows(), Layout(DATA)
    (folder / ".dvc").mkdir(parents=True)
    size = rows.images["nail"].shape[1]
    stored = PixelStorage(DATA, "phantom", "images", size, "stretch", VIEWS).facts()
    facts = {"folds": len(set(rows.columns["fold"])), "group_kind": "patient", **stored}
    write_table(folder / layout.trainval, pl.DataFrame(dict(rows.columns)), facts)
    np.save(folder / layout.trainval_pixels, np.stack([rows.images[view] for view in VIEWS], 1))
    write_json(folder / training_file(TASK), {})
    return folder


def store_all(rows: Rows, section: Mapping[str, Any]) -> None:
    """Ask each backbone of a grid for the stored views of these rows; in the working folder."""
    store_views(rows, configurations(section))


def run_grid(
    root: Path, section: Mapping[str, Any], is_judged: bool = False, **runtime: Any
) -> Path:
    """Have the grid trained as the stage has it, and return the folder of the model."""
    judge = contextlib.nullcontext() if is_judged else patch.object(type(FUSION), "judge")
    with contextlib.chdir(root), judge:
        inputs = {
            str(Layout(DATA).trainval): "1",
            "code/hemoglobin/train@hemoglobin-fusion.json": "1",
        }
        FUSION.train_grid(
            GridRun(root, section, {TASK: section}, inputs, "key", Runtime(**runtime))
        )
    return root / "models" / TASK


def run_of(root: Path, folder: Path, watch: Watch | None = None) -> Run:
    """Return a run of one training that leaves its files in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    return Run(
        TASK, root, folder, folder, folder / "resume", EventLog(folder / "events.jsonl"),
        {"params": {}, "key": "0"}, watch, Runtime(), {},
    )  # fmt: skip


def fit_member(
    root: Path, folder: Path, params: MemberParams, rows: Rows, watch: Watch | None = None
) -> Run:
    """Train one configuration on fold 0, unjudged, and return its run."""
    run = run_of(root, folder, watch)
    train, valid = validation_fold(rows, 0)
    with contextlib.chdir(root), patch("assay.jobs.train.preflight"):
        MEMBER.fit(train, valid, params, run)
    return run
