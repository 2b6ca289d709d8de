"""The rows that a task is trained and scored on, where they are not its data's rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assay.contract.task_capabilities import SupportsCrops, SupportsRelabel
from assay.values import declared_part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from assay.contract.scored import Scored
    from assay.manifest.rows import Rows

CUT = "#"  # between a row's id and the number of a cut of it


def task_rows(task: Scored, rows: Rows, params: Any) -> Rows:
    """Return what the task is trained and scored on: its data's rows, cut or labelled as it says."""
    if isinstance(task, SupportsCrops):
        return task.cut(rows, params)
    return task.labelled(rows, params) if isinstance(task, SupportsRelabel) else rows


def recorded_rows(task: Scored, rows: Rows, declared: Mapping[str, Any]) -> Rows:
    """Return the rows as a model was scored on them, whose record has these parameters."""
    if not isinstance(task, SupportsCrops | SupportsRelabel):
        return rows
    return task_rows(task, rows, declared_part(declared, task.name, task.params))


def row_of(task: Scored, sample_id: str) -> str:
    """Return the id of the data's row that one of the task's rows is, or was cut from."""
    return sample_id.rpartition(CUT)[0] if isinstance(task, SupportsCrops) else sample_id
