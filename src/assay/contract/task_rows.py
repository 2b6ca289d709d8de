"""The rows that a task is trained and scored on, where they are not its data's rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from assay.contract.task import Task
    from assay.manifest.rows import Rows

CUT = "#"  # between a row's id and the number of a cut of it


@runtime_checkable
class Cutting(Protocol):
    """What a task may offer beyond its contract: it is trained on cuts of its data's rows.

    Whoever reads rows for a task asks `task_rows`; labels, predictions and scores are then of cuts.
    """

    def cut(self, rows: Rows, params: Any) -> Rows:
        """Return one row a cut, in the order of `rows`; images of the side that the network is handed.

        `sample_id` is the row's own, `CUT` and the number of the cut within it; every column that
        holds one value a row is kept, `group_id` and `fold` among them: an interval by group stays one.
        A cut depends on its own row alone, and on the task's section `params`.
        """
        ...


@runtime_checkable
class Labelling(Protocol):
    """What a task may offer beyond its contract: its section says which labels it is taught."""

    def labelled(self, rows: Rows, params: Any) -> Rows: ...


def task_rows(task: Task, rows: Rows, params: Any) -> Rows:
    """Return what the task is trained and scored on: its data's rows, cut or labelled as it says."""
    if isinstance(task, Cutting):
        return task.cut(rows, params)
    return task.labelled(rows, params) if isinstance(task, Labelling) else rows


def row_of(task: Task, sample_id: str) -> str:
    """Return the id of the data's row that one of the task's rows is, or was cut from."""
    return sample_id.rpartition(CUT)[0] if isinstance(task, Cutting) else sample_id
