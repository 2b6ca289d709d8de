"""Task `toy-level`: grey square → level, by a network of one layer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from assay.systems.toy.tasks.params import ToyTaskParams

from assay.contract.score import Score
from assay.sections.data import DataParams

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from assay.contract.task import Predictor
    from assay.manifest.rows import Rows
    from assay.runs.run import Run

    Floats = npt.NDArray[np.float32]


class Brightness:
    """The task `toy-level`."""

    name = "toy-level"
    data = "toy"
    params = ToyTaskParams
    headline = Score("mae", digits=3)

    def validate_params(self, own: ToyTaskParams, data: DataParams) -> str:
        """Refuse a fold that the split does not have."""
        return "" if own.train.fold < data.split.folds else "train.fold is not below split.folds"

    def labels(self, rows: Rows) -> Floats:
        """Return levels, (n, 1)."""
        return rows.columns["level"].astype("float32")[:, None]

    def fit(self, train: Rows, valid: Rows, params: ToyTaskParams, run: Run) -> None:
        """Train the one layer."""
        from assay.systems.toy.tasks import network

        network.run_training(self, train, valid, params, run)

    def predictor(self, weights: Path, params: ToyTaskParams) -> Predictor:
        """Return the trained network as a function."""
        from assay.systems.toy.tasks import network

        return network.load(weights, params)

    def restore(self, predictions: Floats, rows: Rows) -> Floats:
        """Return them as they are: levels."""
        return predictions

    def baseline(self, train: Rows, rows: Rows) -> Floats:
        """Return the training mean for each row."""
        return self.labels(train).mean(axis=0, keepdims=True).repeat(len(rows), axis=0)

    def metrics(self, predictions: Floats, labels: Floats) -> dict[str, float]:
        """Return mae, rmse, r2 and acc_0.1."""
        from assay.learning.scores import regression_scores

        return regression_scores(predictions, labels, [0.1])

    def rank(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """Prefer the lowest error."""
        return (metrics["mae"],)

    def pictures(self, predictions: Floats, rows: Rows, folder: Path) -> None:
        """Draw prediction against label."""
        from matplotlib.figure import Figure

        axes = Figure(figsize=(4, 4)).add_subplot()
        axes.scatter(self.labels(rows), predictions)
        axes.set(xlabel="level", ylabel="predicted level")
        folder.mkdir(parents=True, exist_ok=True)
        axes.figure.savefig(folder / "scatter.png", metadata={"Software": None})


LEVEL = Brightness()
