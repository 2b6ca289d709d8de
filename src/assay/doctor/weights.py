"""Weights that a task starts from: whether they are on this machine, so that it trains offline."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from assay.doctor.finding import Finding, Report
from assay.errors import AssayError
from assay.runs.start import first_weights
from assay.sections.task import NONE

if TYPE_CHECKING:
    from assay.sections.task import TaskParams


def check_weights(root: Path, tasks: Mapping[str, TaskParams]) -> Report:
    """Look for each task's first weights as its training does.

    Args:
        root: the repository, from which files count.
        tasks: each task's section of `params.yaml`.
    """
    asked = {name: getattr(task.model, "weights", NONE) for name, task in tasks.items()}
    findings = []
    with contextlib.chdir(root):
        for name, weights in asked.items():
            try:
                first_weights(name, weights, getattr(tasks[name].model, "backbone", ""))
            except AssayError as fault:
                findings.append(Finding(fault.where, fault.found, fault.expected, fault.mend))
    count = sum(weights != NONE for weights in asked.values())
    return Report("weights", f"{count} of {len(asked)} tasks start from weights", findings)
