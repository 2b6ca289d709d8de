"""What every task with a learner has: training, prediction and a trivial predictor; no torch here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic

from assay.errors import AssayError
from assay.sections.task import P

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from assay.contract.bundle import Bundle
    from assay.contract.score import Score
    from assay.contract.scored import Floats, Predictor
    from assay.manifest.rows import Rows
    from assay.runs.run import Run
    from assay.tasks.learner import Learner


class BaseTask(ABC, Generic[P]):
    """A task of the contract whose network a `Learner` builds, trains and asks.

    A task states its name, data, section and headline, its labels and metrics, and which learner is its.
    """

    name: str
    short: str
    metrics_version: int = 1
    data: str
    params: type[P]
    headline: Score
    parts: Sequence[str] = ()
    reads: Sequence[str] = ()

    @abstractmethod
    def learner(self, params: P) -> Learner[P]:
        """Return what has the network; torch is imported here, and not with the task."""

    @abstractmethod
    def labels(self, rows: Rows) -> Floats:
        """Return what predictions are scored against, (n, columns), in the manifest's units."""

    @abstractmethod
    def metrics(self, predictions: Floats, labels: Floats) -> dict[str, float]:
        """Return every metric by name."""

    @abstractmethod
    def rank(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """Return the epoch rule as a sort key: the lowest is the best epoch."""

    @abstractmethod
    def pictures(self, predictions: Floats, rows: Rows, folder: Path) -> None:
        """Draw the pictures that people look at first, as PNG files in `folder`."""

    def validate_params(self, own: P, data: Any) -> str:
        """Return why the task's parameters do not go with its data's, or an empty text."""
        return ""

    def fit(self, train: Rows, valid: Rows, params: P, run: Run) -> None:
        """Preflight, train, and leave weights, history and record in `run.folder`."""
        from assay.jobs.train import train_model
        from assay.learning.determinism import set_determinism

        set_determinism(params.train.threads)
        train_model(self.learner(params).prepare(train, valid), run)

    def predictor(self, bundle: Bundle, params: P) -> Predictor:
        """Return the trained network as a function of rows, in label units."""
        return self.learner(params).predictor(bundle)

    def combine(self, predictions: Sequence[Floats]) -> Floats:
        """Return the mean over models: of values, points, probabilities."""
        mean: Floats = sum(each.astype("float64") for each in predictions) / len(predictions)  # type: ignore[assignment]
        return mean.astype("float32")

    def read_column(self, rows: Rows, name: str) -> npt.NDArray[np.generic]:
        """Return a column of rows.

        Raises:
            AssayError: `read` of its data gives none of that name.
        """
        if name not in rows.columns:
            raise AssayError(
                f"{self.name}: column {name}", f"rows of {self.data} have {', '.join(rows.columns)}",
                "a column that its data gives", f"edit `read`, then dvc repro ingest@{self.data}",
            )  # fmt: skip
        return rows.columns[name]

    def baseline(self, train: Rows, rows: Rows) -> Floats:
        """Return the mean of the training labels for each row."""
        mean = self.labels(train).mean(axis=0, keepdims=True, dtype="float64")
        repeated: Floats = mean.astype("float32").repeat(len(rows), axis=0)
        return repeated

    def refuse_predictions(self, predictions: Floats, rows: Rows) -> str:
        """Return why these are no answers about `rows`, or an empty text."""
        if predictions.ndim == 2 and len(predictions) == len(rows):
            return ""
        return f"{predictions.shape} for {len(rows)} rows; expected a row of outputs each"
