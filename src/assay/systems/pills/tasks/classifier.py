"""Task `pills-classifier`: a pill, cut out of its photograph → which drug it is, over the class table."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from assay.contract.score import Score
from assay.systems.pills.tasks.classifier_params import ClassifierParams

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from assay.contract.task import Predictor
    from assay.manifest.rows import Rows
    from assay.runs.run import Run
    from assay.sections.data import DataParams

    Floats = npt.NDArray[np.float32]


class Classifier:
    """A task of the contract. Predictions are (n, C): the probability of each class id, 0 to C − 1.

    A drug that training lacked is nan. Rows are pills: see `SupportsCrops` and `classifier_cut`.
    """

    name = "pills-classifier"
    data = "pills"
    params = ClassifierParams
    headline = Score("top1", digits=3, best=1.0, trivial="commonest drug")

    def validate_params(self, own: ClassifierParams, data: DataParams) -> str:
        """Refuse a fold that the split does not have."""
        if own.train.fold >= data.split.folds:
            return f"train.fold {own.train.fold}, but {self.data}.split.folds is {data.split.folds}"
        return ""

    def cut(self, rows: Rows, params: ClassifierParams) -> Rows:
        """Return a row a pill, cut by its true box; see `classifier_cut`."""
        from assay.systems.pills.tasks import classifier_cut

        return classifier_cut.pills(rows, params.model)

    def labels(self, rows: Rows) -> Floats:
        """Return the class id as (n, 1)."""
        drug: Floats = rows.columns["drug"].astype("float32")
        return drug[:, None]

    def fit(self, train: Rows, valid: Rows, params: ClassifierParams, run: Run) -> None:
        """Preflight, train and record; see `classifier_fit`."""
        from assay.systems.pills.tasks import classifier_fit

        classifier_fit.run_training(self, train, valid, params, run)

    def predictor(self, weights: Path, params: ClassifierParams) -> Predictor:
        """Return the trained network as a function of cuts; see `classifier_model`."""
        from assay.systems.pills.tasks import classifier_model

        network = classifier_model.load(params.model, weights)
        return partial(
            classifier_model.predict, network, params.model,
            config=params.train
        )  # fmt: skip

    def restore(self, predictions: Floats, rows: Rows) -> Floats:
        """Return them as they are: a drug lies nowhere in the image."""
        return predictions

    def baseline(self, train: Rows, rows: Rows) -> Floats:
        """Return the commonest drug of the training rows, the lower id of equals, as certain."""
        import numpy as np

        counts = np.bincount(train.columns["drug"].astype(np.int64))
        certain = np.where(counts > 0, 0, np.nan).astype(np.float32)
        certain[counts.argmax()] = 1
        return certain[None].repeat(len(rows), axis=0)

    def metrics(self, predictions: Floats, labels: Floats) -> dict[str, float]:
        """Return top 1, top 5, macro F1 and log loss of trained drugs, and the share of the others."""
        from assay.systems.pills.learning.scores import drug_scores

        return drug_scores(predictions, labels[:, 0])

    def rank(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """Prefer the highest top 1; of equal ones the lowest log loss."""
        return (-metrics["top1"], metrics["log_loss"])

    def pictures(self, predictions: Floats, rows: Rows, folder: Path) -> None:
        """Draw confusions, drugs and worst errors; see `classifier_picture`."""
        from assay.systems.pills.tasks import classifier_picture

        classifier_picture.draw(predictions, rows, folder)

    def slices(self, rows: Rows) -> Mapping[str, npt.NDArray[np.generic]]:
        """Part the pills by whether they lie alone."""
        return {"mode": rows.columns["mode"].astype(str)}


CLASSIFIER = Classifier()
