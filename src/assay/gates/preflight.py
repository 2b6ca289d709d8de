"""Preflight: the first act of training; what cannot be learned as it stands ends here, in seconds.

Data and laws first, then what augmentation makes of them, then the network; the later ones are not asked
where the earlier failed. Everything is done on copies, and torch's generator is put back, so that a
training has the same bytes with and without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from assay.gates.preflight_calls import PlanError, calling
from assay.gates.preflight_data import judge_data
from assay.gates.preflight_geometry import judge_geometry
from assay.gates.preflight_network import judge_network
from assay.gates.preflight_transforms import judge_transforms
from assay.gates.verdict import Verdict

if TYPE_CHECKING:
    from assay.contract.checks import Check
    from assay.learning.training_spec import TrainData, TrainingSpec
    from assay.sections.machine import Workers


def preflight(
    task: str,
    spec: TrainingSpec,
    train: TrainData,
    valid: TrainData,
    path: Path,
    num_workers: Workers = 0,
) -> None:
    """Judge data, views and network of a plan, and its loader processes; write the verdict to `path`.

    Raises:
        GateError: a check failed.
    """
    checks = judge_training(spec, train, valid, num_workers)
    Verdict("preflight", task, checks).write_and_raise(path)


def judge_training(
    spec: TrainingSpec, train: TrainData, valid: TrainData, num_workers: Workers = 0
) -> list[Check]:
    """Return the checks of a plan, up to the act of which one failed."""
    checks: list[Check] = []
    # The GPU's generator needs no fork: training seeds it before each step.
    with torch.random.fork_rng(devices=[]):
        try:
            for act in (
                _data(spec, train, valid),
                _views(spec, train, num_workers),
                judge_network(spec, train, valid),
            ):
                if all(check.passed for check in checks):
                    checks.extend(act)
        except PlanError as fault:
            checks.append(fault.check)
    return checks


def _data(spec: TrainingSpec, train: TrainData, valid: TrainData) -> Iterator[Check]:
    yield from judge_data(spec, train, valid)
    with calling(
        "invariants", "TrainingSpec.invariants", "checks of what the plan takes for granted"
    ):
        yield from spec.invariants()


def _views(spec: TrainingSpec, train: TrainData, num_workers: Workers) -> Iterator[Check]:
    yield from judge_transforms(spec, train, num_workers)
    yield from judge_geometry(spec, train)
