"""Task `ceph-cvm`: a lateral film → the stage of cervical vertebral maturation, CS1–CS6 as 0–5."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from assay.contract.score import Score
from assay.systems.ceph.tasks.cvm_params import CvmParams
from assay.systems.ceph.tasks.names import STAGES

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from assay.contract.task import Predictor
    from assay.manifest.rows import Rows
    from assay.runs.run import Run
    from assay.sections.data import DataParams

    Floats = npt.NDArray[np.float32]


class Maturation:
    """A task of the contract. Predictions are (n, 6): the probability of each stage.

    What is scored is the stage in the middle of them, the median: stages have an order.

    The headline is the macro F1: the epoch rule watches it, and a stage that is never predicted costs a
    sixth of it, while the weighted kappa forgives what is off by one.
    """

    name = "ceph-cvm"
    data = "ceph"
    params = CvmParams
    headline = Score("macro_f1", digits=2, best=1.0, trivial="commonest stage")

    def validate_params(self, own: CvmParams, data: DataParams) -> str:
        """Refuse a fold that the split does not have."""
        if own.train.fold >= data.split.folds:
            return f"train.fold {own.train.fold}, but {self.data}.split.folds is {data.split.folds}"
        return ""

    def labels(self, rows: Rows) -> Floats:
        """Return the stage 0–5 as (n, 1); nan where nobody stated one."""
        stage: Floats = rows.columns["cvm"].astype("float32")
        return stage[:, None]

    def fit(self, train: Rows, valid: Rows, params: CvmParams, run: Run) -> None:
        """Preflight, train and record; see `cvm_fit`."""
        from assay.systems.ceph.tasks import cvm_fit

        cvm_fit.run_training(self, train, valid, params, run)

    def predictor(self, weights: Path, params: CvmParams) -> Predictor:
        """Return the trained network as a function; see `cvm_model`."""
        from assay.systems.ceph.tasks import cvm_model

        network = cvm_model.load(params.model, weights)
        return partial(
            cvm_model.predict, network, params.model,
            config=params.train
        )  # fmt: skip

    def restore(self, predictions: Floats, rows: Rows) -> Floats:
        """Return them as they are: a stage lies nowhere in the image."""
        return predictions

    def baseline(self, train: Rows, rows: Rows) -> Floats:
        """Return the commonest stage of the training rows, the earlier of equals, as certain."""
        import numpy as np

        stages = self.labels(train)
        counts = np.bincount(stages[~np.isnan(stages)].astype(np.int64), minlength=len(STAGES))
        certain: Floats = np.eye(len(STAGES), dtype=np.float32)[[counts.argmax()]]
        return certain.repeat(len(rows), axis=0)

    def metrics(self, predictions: Floats, labels: Floats) -> dict[str, float]:
        """Return accuracy, macro F1, weighted kappa, within-one and log loss of the known stages."""
        from assay.learning.vision.classes import as_classes, middle_classes
        from assay.learning.vision.scores import class_scores, log_loss

        true = as_classes(labels[:, 0])
        scores = class_scores(middle_classes(predictions), true, len(STAGES))
        return scores | {"log_loss": log_loss(predictions, true)}

    def rank(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """Prefer the highest macro F1; of equal ones the lowest log loss."""
        return (-metrics["macro_f1"], metrics["log_loss"])

    def pictures(self, predictions: Floats, rows: Rows, folder: Path) -> None:
        """Draw the confusion matrix."""
        from assay.systems.ceph.tasks.cvm_picture import draw

        draw(predictions, self.labels(rows)[:, 0], folder / "confusion.png")

    def slices(self, rows: Rows) -> Mapping[str, npt.NDArray[np.generic]]:
        """Part the films by X-ray machine."""
        from assay.systems.ceph.tasks.points import machine

        return {"machine": machine(rows)}

    def draw_seen(self, weights: Path, rows: Rows, folder: Path) -> None:
        """Draw the region that the network sees, on a film of each stage."""
        from assay.systems.ceph.tasks.cvm_picture import draw_crops

        draw_crops(weights, rows, self.labels(rows)[:, 0], folder / "crops.png")


CVM = Maturation()
