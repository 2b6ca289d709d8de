"""The contract of whatever is scored, registered and served: a task, or tasks used together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from assay.errors import AssayError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from assay.contract.bundle import Bundle
    from assay.contract.score import Score
    from assay.manifest.rows import Rows
    from assay.sections.task import ScoredParams

    Floats = npt.NDArray[np.float32]
    Predictor = Callable[[Rows], Floats]


class Scored(Protocol):
    """What answers about the rows of one set of data, and how the answers are scored.

    The registry, the tracker and comparisons speak of this alone.

    Attributes:
        name: of its section, its folders and its registered model.
        short: before its numbers in DVC's tables, where the whole name leaves no room; unique.
        metrics_version: of what its metrics' names mean: numbers of two are never compared.
        data: the set of data whose rows it is asked about.
        parts: the tasks whose models it is made of; none of a task.
        reads: columns of rows that its predictor reads beside the images: sizes, covariates.
        headline: the metric that decides.
    """

    name: str
    short: str
    metrics_version: int
    data: str
    parts: Sequence[str]
    reads: Sequence[str]
    headline: Score

    @property
    def params(self) -> type[ScoredParams]:
        """Return the model of the section in `params.yaml`."""
        ...

    def labels(self, rows: Rows) -> Floats:
        """Return what predictions are scored against, (n, columns) float32, in the manifest's units."""
        ...

    def predictor(self, bundle: Bundle, params: Any) -> Predictor:
        """Return the trained model as a function: its data's rows → (n, outputs), in label units.

        Of rows it reads the images and `reads`. What turns the network's units into the labels' goes
        with the model's own code, and whatever was fitted on training rows with its weights.
        """
        ...

    def baseline(self, train: Rows, rows: Rows) -> Floats:
        """Return what the trivial predictor, fitted on the training labels alone, says of `rows`."""
        ...

    def metrics(self, predictions: Floats, labels: Floats) -> dict[str, float]:
        """Return every metric by name; names fit MLflow (no `@`)."""
        ...

    def refuse_predictions(self, predictions: Floats, rows: Rows) -> str:
        """Return why these are no answers about `rows`, (n, outputs) in label units, or an empty text."""
        ...


def scoring_stage(scored: Scored) -> str:
    """Return the stage that scores it."""
    return f"{'pipeline' if scored.parts else 'evaluate'}@{scored.name}"


def ensure_answers(scored: Scored, predictions: Floats, rows: Rows) -> None:
    """Refuse predictions that are not what is scored: no number of them would mean anything.

    Raises:
        AssayError: with what they are.
    """
    kind = getattr(predictions, "dtype", type(predictions).__name__)
    is_kept = str(kind) == "float32"  # the table of predictions holds no other
    if found := scored.refuse_predictions(predictions, rows) if is_kept else f"{kind}":
        raise AssayError(
            f"predictions of {scored.name}", found, "answers in label units, an array of float32",
            "edit its predictor (its learner's `decode` and `to_labels`)",
        )  # fmt: skip
