"""The contract of a task: what is trained on one set of data, and how it is scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from assay.contract.score import Score
    from assay.manifest.rows import Rows
    from assay.runs.run import Run
    from assay.sections.task import TaskParams

    Predictor = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]


class Task(Protocol):
    """What is trained on one set of data, and how it is scored."""

    name: str
    data: str
    headline: Score

    @property
    def params(self) -> type[TaskParams]:
        """Return the model of the section in `params.yaml`."""
        ...

    def validate_params(self, own: Any, data: Any) -> str:
        """Return why the task's parameters do not go with its data's, or an empty text."""
        ...

    def labels(self, rows: Rows) -> npt.NDArray[np.float32]:
        """Return what predictions are scored against, (n, columns) float32, in the manifest's units."""
        ...

    def fit(self, train: Rows, valid: Rows, params: Any, run: Run) -> None:
        """Preflight, train, and leave weights, history and record in `run.folder`."""
        ...

    def predictor(self, weights: Path, params: Any) -> Predictor:
        """Return: uint8 images (n, h, w, 3), indexed by batches → predictions (n, outputs)."""
        ...

    def restore(self, predictions: npt.NDArray[np.float32], rows: Rows) -> npt.NDArray[np.float32]:
        """Return predictions in the labels' units: those of the original image, not of the stored one."""
        ...

    def baseline(self, train: Rows, rows: Rows) -> npt.NDArray[np.float32]:
        """Return what the trivial predictor, fitted on the training labels alone, says of `rows`."""
        ...

    def metrics(
        self, predictions: npt.NDArray[np.float32], labels: npt.NDArray[np.float32]
    ) -> dict[str, float]:
        """Return every metric by name, of restored predictions; names fit MLflow (no `@`)."""
        ...

    def rank(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """Return the epoch rule as a sort key: the lowest is the best epoch."""
        ...

    def pictures(
        self,
        predictions: npt.NDArray[np.float32],
        rows: Rows,
        folder: Path,
    ) -> None:
        """Draw the pictures that people look at first, as PNG files in `folder`."""
        ...
