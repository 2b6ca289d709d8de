"""Preflight: the first act of training; what cannot be learned as it stands ends here, in seconds.

Data and laws first, then what augmentation makes of them, then the network; the later ones are not asked
where the earlier failed. Everything is done on copies, and torch's generator is put back, so that a
training has the same bytes with and without it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

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
    # The GPU's generator needs no fork: training seeds it before each step.
    with torch.random.fork_rng(devices=[]):
        checks = [*judge_data(spec, train, valid), *spec.invariants()]
        if _passed(checks):
            checks += judge_transforms(spec, train, num_workers) + judge_geometry(spec, train)
        if _passed(checks):
            checks += judge_network(spec, train)
    Verdict("preflight", task, checks).write_and_raise(path)


def _passed(checks: list[Check]) -> bool:
    return all(check.passed for check in checks)
