"""An ordinary task of values: one quantity an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from assay.sections.task import P
from assay.tasks.base import BaseTask

if TYPE_CHECKING:
    from pathlib import Path

    from assay.contract.scored import Floats
    from assay.manifest.rows import Rows


class ValueTask(BaseTask[P]):
    """A task of one quantity; predictions and labels are (n, 1).

    Attributes:
        column: of the manifest that holds it.
        limits: the least and the most that is physically possible.
        unit: of both, or empty.
        within: errors up to these count as right in `acc_<tolerance>`.
    """

    column: str
    limits: tuple[float, float]
    unit: str = ""
    within: Sequence[float] = ()

    def labels(self, rows: Rows) -> Floats:
        """Return the quantity as (n, 1) float32, unrounded."""
        return self.read_column(rows, self.column).astype("float32")[:, None]

    def metrics(self, predictions: Floats, labels: Floats) -> dict[str, float]:
        """Return mae, rmse, r2 and acc_<tolerance>; see `learning.scores`."""
        from assay.learning.scores import regression_scores

        return regression_scores(predictions, labels, self.within)

    def rank(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """Prefer the lowest mean error."""
        return (metrics["mae"],)

    def pictures(self, predictions: Floats, rows: Rows, folder: Path) -> None:
        """Draw prediction against label."""
        from assay.tasks.value_picture import draw

        draw(predictions[:, 0], self.labels(rows)[:, 0], f"{self.column} {self.unit}", folder)

    def refuse_predictions(self, predictions: Floats, rows: Rows) -> str:
        """Refuse what is not one number a row."""
        import numpy as np

        if predictions.shape != (len(rows), 1):
            return f"{predictions.shape} for {len(rows)} rows; expected one number each"
        lost = int((~np.isfinite(predictions)).sum())
        return f"{lost} of {len(rows)} are no number" if lost else ""
