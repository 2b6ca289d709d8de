"""The contract of a task: what is trained on one set of data, and how it is scored."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from assay.contract.scored import Scored

if TYPE_CHECKING:
    from assay.contract.scored import Floats
    from assay.manifest.rows import Rows
    from assay.runs.run import Run
    from assay.sections.task import TaskParams


class Task(Scored, Protocol):
    """What is trained on one set of data; `assay.tasks` has what an ordinary one is made of."""

    @property
    def params(self) -> type[TaskParams]:
        """Return the model of the section in `params.yaml`."""
        ...

    def validate_params(self, own: Any, data: Any) -> str:
        """Return why the task's parameters do not go with its data's, or an empty text."""
        ...

    def fit(self, train: Rows, valid: Rows, params: Any, run: Run) -> None:
        """Preflight, train, and leave weights, history and record in `run.folder`."""
        ...

    def rank(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """Return the epoch rule as a sort key: the lowest is the best epoch."""
        ...

    def pictures(self, predictions: Floats, rows: Rows, folder: Path) -> None:
        """Draw the pictures that people look at first, as PNG files in `folder`."""
        ...
