"""Single-modality Hb tasks: one photograph → Hb in g/dL; `nail` and `conjunctiva` differ in data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from assay.contract.score import Score
from assay.systems.hemoglobin.tasks.params import SingleParams
from assay.tasks.values import ValueTask

if TYPE_CHECKING:
    from assay.contract.scored import Floats
    from assay.manifest.rows import Rows
    from assay.systems.hemoglobin.tasks.single_learner import SingleLearner


class SingleModality(ValueTask[SingleParams]):
    """SmoothL1 on Hb, ranked by the specification's epoch rule."""

    params = SingleParams
    headline = Score("mae", "g/dL")
    column = "hb"
    limits = (2.0, 25.0)  # what the label gate holds for possible
    unit = "g/dL"
    within = (0.5, 1.0, 2.0)  # ACC@δ, stored as acc_δ since MLflow refuses `@`

    def __init__(self, name: str, short: str, data: str) -> None:
        self.name, self.short, self.data = name, short, data

    def learner(self, params: SingleParams) -> SingleLearner:
        """Return a timm backbone with the regression head."""
        from assay.systems.hemoglobin.tasks.single_learner import SingleLearner

        return SingleLearner(self, params)

    def rank(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """Return the epoch rule's key; see `learning.scores`."""
        from assay.learning.scores import regression_rank

        return regression_rank(metrics)

    def pictures(self, predictions: Floats, rows: Rows, folder: Path) -> None:
        """Draw the prediction scatter and the Bland–Altman plot."""
        from assay.systems.hemoglobin.tasks.picture import draw

        draw(predictions[:, 0], self.labels(rows)[:, 0], folder)


CONJUNCTIVA = SingleModality("hemoglobin-conjunctiva", "conj", data="hemoglobin.conjunctiva")
NAIL = SingleModality("hemoglobin-nail", "nail", data="hemoglobin.nail")
