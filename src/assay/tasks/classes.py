"""An ordinary task of classes: each image is of one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from assay.errors import AssayError
from assay.sections.task import P
from assay.tasks.base import BaseTask

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from assay.contract.scored import Floats
    from assay.manifest.rows import Rows

SUM = 1e-3  # of a row's probabilities, to 1


class ClassTask(BaseTask[P]):
    """A task of classes: predictions are (n, classes) probabilities, labels (n, 1) indices.

    Attributes:
        column: of the manifest that holds the name of a row's class.
        classes: the names, in the order of the indices; that order is the model's for good.
    """

    column: str
    classes: Sequence[str]

    def labels(self, rows: Rows) -> Floats:
        """Return the index of each row's class, (n, 1); nan where it has none.

        Raises:
            AssayError: a row has a class that the task does not name.
        """
        import numpy as np

        index: dict[str | None, float] = {None: np.nan}
        index |= {name: number for number, name in enumerate(self.classes)}
        stated = self.read_column(rows, self.column).tolist()
        if strange := sorted({str(name) for name in stated if name not in index}):
            raise AssayError(
                f"{self.name}: column {self.column}", f"holds {', '.join(strange)}",
                f"one of its classes: {', '.join(self.classes)}",
                f"edit `classes` of {self.name}, or `read` of {self.data}",
            )  # fmt: skip
        return np.array([index[name] for name in stated], dtype=np.float32)[:, None]

    def predicted(self, predictions: Floats) -> npt.NDArray[np.int64]:
        """Return the class (n,) that counts as said: the likeliest."""
        likeliest: npt.NDArray[np.int64] = predictions.argmax(axis=1)
        return likeliest

    def baseline(self, train: Rows, rows: Rows) -> Floats:
        """Return the commonest class of the training rows, the earlier of equals, as certain."""
        import numpy as np

        known = self.labels(train)
        counts = np.bincount(known[~np.isnan(known)].astype(np.int64), minlength=len(self.classes))
        certain: Floats = np.eye(len(self.classes), dtype=np.float32)[[counts.argmax()]]
        return certain.repeat(len(rows), axis=0)

    def metrics(self, predictions: Floats, labels: Floats) -> dict[str, float]:
        """Return accuracy, macro F1, weighted kappa, within-one and log loss of rows with a class."""
        from assay.learning.vision.classes import as_classes
        from assay.learning.vision.scores import class_scores, log_loss

        true = as_classes(labels[:, 0])
        scores = class_scores(self.predicted(predictions), true, len(self.classes))
        return scores | {"log_loss": log_loss(predictions, true)}

    def rank(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """Prefer the highest macro F1; of equal ones the lowest log loss."""
        return (-metrics["macro_f1"], metrics["log_loss"])

    def pictures(self, predictions: Floats, rows: Rows, folder: Path) -> None:
        """Draw how often each class was called which."""
        from assay.tasks.class_picture import draw

        draw(self.predicted(predictions), self.labels(rows)[:, 0], self.classes, folder)

    def refuse_predictions(self, predictions: Floats, rows: Rows) -> str:
        """Refuse what is no probability of each class: logits, say."""
        shape = (len(rows), len(self.classes))
        if predictions.shape != shape:
            return f"{predictions.shape}; expected {shape}, a probability of each class a row"
        return refuse_probabilities(predictions)


def refuse_probabilities(said: Floats) -> str:
    """Return why rows (n, classes) are no probabilities, or an empty text."""
    import numpy as np

    low, high = float(said.min(initial=0)), float(said.max(initial=0))
    apart = float(np.abs(said.sum(axis=1) - 1).max(initial=0))
    if low >= 0 and high <= 1 + SUM and apart <= SUM:
        return ""
    return (
        f"from {low:.3g} to {high:.3g}, sums up to {apart:.3g} from 1; expected probabilities:"
        " logits need a softmax"
    )
