"""The whole-file check: every section of `params.yaml`, then every task against its data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay import contract
from assay.errors import AssayError, ParamsError
from assay.params import PARAMS_FILE, check_params, read_params, typed


def check_file(path: Path) -> None:
    """Check `params.yaml`.

    Raises:
        ParamsError: with every fault, not the first.
    """
    check_content(read_params(path))


def check_content(content: Mapping[str, Any]) -> None:
    """Check what `params.yaml` holds, or would hold.

    Raises:
        ParamsError: with every fault, not the first.
    """
    check_params(content, contract.sections())
    faults = []
    for task in contract.tasks().values():
        data = contract.find_system(task.data)
        reason = task.agrees(
            typed(content, task.name, task.params), typed(content, data.name, data.params)
        )
        if reason:
            faults.append(AssayError(f"{PARAMS_FILE} · {task.name}", reason, "values that agree"))
    if faults:
        raise ParamsError(faults)
