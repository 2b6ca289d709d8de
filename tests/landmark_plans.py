"""Small landmark trainings for unit tests: parameters, a plan with its set, a place to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from assay.learning.determinism import set_determinism
from assay.learning.fit import fit
from assay.learning.training_spec import TrainData, TrainingSpec
from assay.lookup import find_task
from assay.params import read_params
from assay.runs.events import EventLog
from assay.runs.record import WEIGHTS
from assay.runs.run import Run
from assay.sections.machine import Runtime
from assay.systems.ceph.tasks.params import LandmarkParams
from assay.values import typed
from tests.films import films

ROOT = Path(__file__).parents[1]
NAME, SIZE, COUNT = "ceph-landmarks", 32, 12
TASK = find_task(NAME)
FROZEN, EPOCHS = 2, 4
State = dict[str, torch.Tensor]


def parameters(model: Mapping[str, Any] | None = None, **train: Any) -> LandmarkParams:
    content = read_params(ROOT / "params.yaml")
    content[NAME]["model"] |= model or {}
    content[NAME]["train"] |= {"epochs": EPOCHS, "warmup_epochs": 1, "batch_size": 4, **train}
    return typed(content, NAME, LandmarkParams)


def planned(params: LandmarkParams) -> tuple[TrainingSpec, TrainData]:
    set_determinism(1)
    rows = films(COUNT, SIZE)
    ready = TASK.learner(params).prepare(rows, rows)
    return ready.spec, ready.train


def run_in(folder: Path, **runtime: Any) -> Run:
    (folder / "model").mkdir(parents=True, exist_ok=True)
    return Run(
        NAME, folder, folder / "model", folder / "reports", folder / "resume",
        EventLog(folder / "events.jsonl"), runtime=Runtime(**runtime),
    )  # fmt: skip


def state(spec: TrainingSpec) -> State:
    return {name: value.clone() for name, value in spec.network.state_dict().items()}


def changed(one: State, other: State, part: str) -> bool:
    return any(not torch.equal(one[name], other[name]) for name in one if name.startswith(part))


def whole_and_killed(
    params: LandmarkParams, folder: Path, epochs: int, **runtime: Any
) -> tuple[bytes, bytes]:
    """Return the weights of a training, and of one that was killed after `epochs` and went on."""
    spec, rows = planned(params)
    fit(spec, rows, rows, run_in(folder / "whole"))
    broken, _ = planned(params)
    seen = []

    def dying(outputs: Any, targets: Any) -> dict[str, float]:
        seen.append(1)
        if len(seen) > epochs:
            raise KeyboardInterrupt
        return broken.metrics(outputs, targets)

    with pytest.raises((KeyboardInterrupt, SystemExit)):
        fit(replace(broken, metrics=dying), rows, rows, run_in(folder / "killed", **runtime))
    again, _ = planned(params)
    fit(again, rows, rows, run_in(folder / "killed"))
    whole, killed = (folder / name / "model" / WEIGHTS for name in ("whole", "killed"))
    return whole.read_bytes(), killed.read_bytes()
