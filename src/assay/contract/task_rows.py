"""The rows that a task is trained and scored on, where they are not its data's rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assay.contract.task_capabilities import SupportsCrops, SupportsRelabel

if TYPE_CHECKING:
    from assay.contract.task import Task
    from assay.manifest.rows import Rows

CUT = "#"  # between a row's id and the number of a cut of it


def task_rows(task: Task, rows: Rows, params: Any) -> Rows:
    """Return what the task is trained and scored on: its data's rows, cut or labelled as it says."""
    if isinstance(task, SupportsCrops):
        return task.cut(rows, params)
    return task.labelled(rows, params) if isinstance(task, SupportsRelabel) else rows


def row_of(task: Task, sample_id: str) -> str:
    """Return the id of the data's row that one of the task's rows is, or was cut from."""
    return sample_id.rpartition(CUT)[0] if isinstance(task, SupportsCrops) else sample_id
