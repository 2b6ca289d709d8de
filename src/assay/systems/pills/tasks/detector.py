"""Task `pills-detector`: a photograph → where its pills lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from assay.contract.score import Score
from assay.systems.pills.tasks.detector_params import DetectorParams

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from assay.contract.task import Predictor
    from assay.manifest.rows import Rows
    from assay.runs.run import Run
    from assay.sections.data import DataParams

    Floats = npt.NDArray[np.float32]


class Detector:
    """A task of the contract.

    Predictions are (n, 6·most) and labels (n, 6·pills): x, y, width, height (px of the original), score,
    class of the table; nan where there is nothing, and as class of a detector of pills alone.
    """

    name = "pills-detector"
    data = "pills"
    params = DetectorParams
    headline = Score("map50", digits=2, best=1.0, trivial="mean box")

    def validate_params(self, own: DetectorParams, data: DataParams) -> str:
        """Refuse a fold that the split does not have."""
        if own.train.fold >= data.split.folds:
            return f"train.fold {own.train.fold}, but {self.data}.split.folds is {data.split.folds}"
        return ""

    def labelled(self, rows: Rows, params: DetectorParams) -> Rows:
        """Return rows whose pills are classed by their form, where forms are told apart."""
        if params.model.classes != "form":
            return rows
        columns = rows.columns
        forms = {"classes": columns["form_ids"], "codes": columns["form_names"]}
        return replace(rows, columns={**columns, **forms})

    def labels(self, rows: Rows) -> Floats:
        """Return the true boxes, score 1: what a perfect prediction says."""
        from assay.systems.pills.tasks import boxes

        return boxes.padded(boxes.pill_boxes(rows))

    def fit(self, train: Rows, valid: Rows, params: DetectorParams, run: Run) -> None:
        """Preflight, train and record; see `detector_fit`."""
        from assay.systems.pills.tasks import detector_fit

        detector_fit.run_training(self, train, valid, params, run)

    def predictor(self, weights: Path, params: DetectorParams) -> Predictor:
        """Return the trained network as a function; see `detector_model`."""
        from assay.systems.pills.tasks import detector_model

        network, ids = detector_model.load(params.model, weights)
        return partial(
            detector_model.predict, network, ids, params.model,
            config=params.train
        )  # fmt: skip

    def restore(self, predictions: Floats, rows: Rows) -> Floats:
        """Return boxes of the stored square in px of the photograph, cut off at its edges."""
        import numpy as np

        from assay.systems.pills.tasks import boxes

        return boxes.to_original(predictions, rows).astype(np.float32)

    def baseline(self, train: Rows, rows: Rows) -> Floats:
        """Return one box: the mean place and size of the training boxes, as shares of the photograph."""
        from assay.systems.pills.tasks import boxes

        return boxes.mean_box(train, rows)

    def metrics(self, predictions: Floats, labels: Floats) -> dict[str, float]:
        """Return mAP at 0.5 and 0.5:0.95; precision, recall, F1 and whole photographs in use."""
        from assay.systems.pills.learning.detection_scores import detection_scores

        return detection_scores(predictions, labels)

    def rank(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """Prefer the highest mAP at overlap 0.5; of equal ones the highest over all overlaps."""
        return (-metrics["map50"], -metrics["map50_95"])

    def pictures(self, predictions: Floats, rows: Rows, folder: Path) -> None:
        """Draw the best, median and worst photograph, and precision over recall."""
        from assay.systems.pills.tasks.detector_picture import draw

        draw(predictions, self.labels(rows), rows, folder)

    def draw_row(self, row: Rows, path: Path) -> None:
        """Draw a photograph with its true boxes."""
        from assay.systems.pills.tasks.detector_picture import draw_true

        draw_true(row, path)

    def draw_seen(self, weights: Path, rows: Rows, folder: Path) -> None:
        """Draw what training makes of photographs: augmented, with their boxes."""
        from assay.systems.pills.tasks.detector_picture import draw_augmented

        draw_augmented(weights, rows, folder)


DETECTOR = Detector()
