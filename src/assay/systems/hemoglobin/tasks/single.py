"""Single-modality Hb tasks: one photograph → Hb in g/dL; `nail` and `conjunctiva` differ in data."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from assay.contract.score import Score
from assay.systems.hemoglobin.tasks.params import SingleParams

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from assay.contract.task import Predictor
    from assay.manifest.rows import Rows
    from assay.runs.run import Run
    from assay.sections.data import DataParams

WITHIN = (0.5, 1.0, 2.0)  # g/dL: ACC@δ, stored as acc_δ since MLflow refuses `@`


class SingleModality:
    """A task of the contract: SmoothL1 on Hb, ranked by the specification's epoch rule."""

    params = SingleParams
    headline = Score("mae", "g/dL")

    def __init__(self, name: str, data: str) -> None:
        self.name, self.data = name, data

    def validate_params(self, own: SingleParams, data: DataParams) -> str:
        """Refuse a validation fold that the split does not have."""
        if own.train.fold >= data.split.folds:
            return f"train.fold {own.train.fold}, but {self.data}.split.folds is {data.split.folds}"
        return ""

    def labels(self, rows: Rows) -> npt.NDArray[np.float32]:
        """Return Hb in g/dL as (n, 1) float32, unrounded."""
        return rows.columns["hb"].astype("float32")[:, None]

    def fit(self, train: Rows, valid: Rows, params: SingleParams, run: Run) -> None:
        """Preflight, train and record; see `learning.fit`."""
        from assay.systems.hemoglobin.tasks import single_fit

        single_fit.run_training(self, train, valid, params, run)

    def predictor(self, weights: Path, params: SingleParams) -> Predictor:
        """Return the trained network as a function, in g/dL; see `single_model`."""
        from assay.systems.hemoglobin.tasks import single_model

        network = single_model.load(params.model, weights)
        return partial(single_model.predict, network, config=params.train)

    def restore(self, predictions: npt.NDArray[np.float32], rows: Rows) -> npt.NDArray[np.float32]:
        """Return them as they are: the network says g/dL."""
        return predictions

    def baseline(self, train: Rows, rows: Rows) -> npt.NDArray[np.float32]:
        """Return the training mean for each row."""
        mean = self.labels(train).mean(axis=0, dtype="float64").astype("float32")
        repeated: npt.NDArray[np.float32] = mean[None].repeat(len(rows), axis=0)
        return repeated

    def metrics(
        self, predictions: npt.NDArray[np.float32], labels: npt.NDArray[np.float32]
    ) -> dict[str, float]:
        """Return mae, rmse, r2 and acc_δ; see `learning.scores`."""
        from assay.learning.scores import regression_scores

        return regression_scores(predictions, labels, WITHIN)

    def rank(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """Return the epoch rule's key; see `learning.scores`."""
        from assay.learning.scores import regression_rank

        return regression_rank(metrics)

    def pictures(
        self,
        predictions: npt.NDArray[np.float32],
        rows: Rows,
        folder: Path,
    ) -> None:
        """Draw the prediction scatter and the Bland–Altman plot."""
        from assay.systems.hemoglobin.tasks.picture import draw

        draw(predictions[:, 0], self.labels(rows)[:, 0], folder)


CONJUNCTIVA = SingleModality("hemoglobin-conjunctiva", data="hemoglobin.conjunctiva")
NAIL = SingleModality("hemoglobin-nail", data="hemoglobin.nail")
