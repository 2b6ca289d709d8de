"""Task `pills-classifier`: a pill, cut out of its photograph → which drug it is, over the class table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assay.contract.score import Score
from assay.systems.pills.tasks.classifier_params import ClassifierParams
from assay.tasks.base import BaseTask
from assay.tasks.classes import refuse_probabilities

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from assay.contract.scored import Floats
    from assay.manifest.rows import Rows
    from assay.systems.pills.tasks.classifier_learner import ClassifierLearner


class Classifier(BaseTask[ClassifierParams]):
    """Predictions are (pills, C): the probability of each class id, 0 to C − 1.

    A drug that training lacked is nan. Scored are pills, in the order of `cut`; asked are photographs,
    with the boxes that they are cut by: see `SupportsCrops` and `classifier_cut`.
    """

    name = "pills-classifier"
    short = "drug"
    data = "pills"
    params = ClassifierParams
    reads: Sequence[str] = ("width", "height", "boxes")
    headline = Score("top1", digits=3, best=1.0, trivial="commonest drug")

    def cut(self, rows: Rows, params: ClassifierParams) -> Rows:
        """Return a row a pill, cut by its true box; see `classifier_cut`."""
        from assay.systems.pills.tasks import classifier_cut

        return classifier_cut.pills(rows, params.model)

    def labels(self, rows: Rows) -> Floats:
        """Return the class id as (n, 1)."""
        drug: Floats = rows.columns["drug"].astype("float32")
        return drug[:, None]

    def learner(self, params: ClassifierParams) -> ClassifierLearner:
        """Return a timm backbone with a logit a drug."""
        from assay.systems.pills.tasks.classifier_learner import ClassifierLearner

        return ClassifierLearner(self, params)

    def baseline(self, train: Rows, rows: Rows) -> Floats:
        """Return the commonest drug of the training rows, the lower id of equals, as certain."""
        import numpy as np

        counts = np.bincount(train.columns["drug"].astype(np.int64))
        certain = np.where(counts > 0, 0, np.nan).astype(np.float32)
        certain[counts.argmax()] = 1
        return certain[None].repeat(len(rows), axis=0)

    def combine(self, predictions: Sequence[Floats]) -> Floats:
        """Return the mean over models: a drug that a model was never taught has no chance with it.

        So a row's chances stay 1 together; what no model was taught is nan. Ids are columns, and a table
        that ends before another's lacks its last drugs.
        """
        import numpy as np

        from assay.learning.scoring import widened

        each = np.stack(widened(predictions))
        mean = np.nan_to_num(each).mean(axis=0, dtype=np.float64)
        return np.where(np.isnan(each).all(axis=0), np.nan, mean).astype(np.float32)

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

    def refuse_predictions(self, predictions: Floats, rows: Rows) -> str:
        """Refuse what is no row of probabilities a cut; of a drug that a fold lacked no row has one."""
        import numpy as np

        refused = super().refuse_predictions(predictions, rows)
        if refused:
            return refused
        said, folds = predictions.copy(), rows.columns.get("fold", np.zeros(len(rows)))
        for fold in np.unique(folds):
            mine = folds == fold
            said[np.ix_(mine, np.isnan(predictions[mine]).all(axis=0))] = 0
        return refuse_probabilities(said)


CLASSIFIER = Classifier()
