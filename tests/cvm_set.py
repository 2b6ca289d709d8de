"""The CVM task in tests: phantom films as ingest stores them, small parameters, and a training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from assay.lookup import find_task
from assay.manifest.rows import Rows
from assay.params import read_params
from assay.runs.events import EventLog
from assay.runs.record import WEIGHTS
from assay.runs.run import Run
from assay.systems.ceph.data.params import Phantom
from assay.systems.ceph.tasks.cvm_params import CvmParams
from assay.values import typed
from tests.ceph_set import CEPH, manifest

ROOT = Path(__file__).parents[1]
PHANTOM = Phantom(films=60, width=160, seed=3, doubled=0, missing=0, pairs=0, broken=0)
SIZE = 64
TASK = find_task("ceph-cvm")


def params_of(**changed: Any) -> CvmParams:
    """Return the file's parameters for a small and short training; `changed` by `part__key`."""
    content = read_params(ROOT / "params.yaml")
    small = {
        "model__input_size": 32,
        "train__epochs": 2,
        "train__warmup_epochs": 1,
    }
    for name, value in (small | changed).items():
        part, key = name.split("__")
        content[TASK.name][part][key] = value
    params: CvmParams = typed(content, TASK.name, TASK.params)
    return params


def stored_films(root: Path, phantom: Phantom = PHANTOM, size: int = SIZE) -> Rows:
    """Return phantom films as ingest stores them, stages in equal shares."""
    (root / "phantom").mkdir()
    CEPH.phantom(root / "phantom", phantom)
    table, store = manifest(root / "phantom", root, size)
    images = store.pixels()[store.slots(table["digest"])]
    return Rows({"image": images}, {name: table[name].to_numpy() for name in table.columns})


def with_column(rows: Rows, name: str, values: Any) -> Rows:
    return Rows({"image": rows.image}, {**rows.columns, name: values})


def training(rows: Rows) -> Any:
    """Return which films are trained on: three of four."""
    return np.array([int(name[-5:]) % 4 > 0 for name in rows.columns["sample_id"]])


def fitted(rows: Rows, folder: Path, params: CvmParams, kind: type[EventLog] = EventLog) -> Path:
    """Train, and return the weights."""
    (folder / "model").mkdir(parents=True, exist_ok=True)
    run = Run(
        TASK.name, folder, folder / "model", folder / "reports", folder / "resume",
        kind(folder / "events.jsonl"), {"params": {}, "key": "0"},
    )  # fmt: skip
    learns = training(rows)
    TASK.fit(rows.where(learns), rows.where(~learns), params, run)
    return run.folder / WEIGHTS


class Dying(EventLog):
    """Ends the training in its third epoch."""

    def note(self, event: str, facts: Mapping[str, Any] | None = None) -> None:
        if facts and facts.get("epoch") == 2:
            raise KeyboardInterrupt
        super().note(event, facts)
