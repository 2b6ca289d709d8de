"""Task `pills-detector`: a photograph → where its pills lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.contract.score import Score
from assay.systems.pills.tasks.detector_params import DetectorParams

if TYPE_CHECKING:
    from assay.contract.bundle import Bundle
    from assay.contract.scored import Floats, Predictor
    from assay.manifest.rows import Rows
    from assay.runs.run import Run


class Detector:
    """A task of the contract by itself: ultralytics trains it, and no learner.

    Predictions are (n, 6·most) and labels (n, 6·pills): x, y, width, height (px of the original), score,
    class of the table; nan where there is nothing, and as class of a detector of pills alone.
    """

    name = "pills-detector"
    short = "box"
    metrics_version = 1
    data = "pills"
    params = DetectorParams
    parts: Sequence[str] = ()
    reads: Sequence[str] = ("width", "height")
    headline = Score("map50", digits=2, best=1.0, trivial="mean box")

    def validate_params(self, own: DetectorParams, data: Any) -> str:
        """Return that they go with any photographs."""
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

    def predictor(self, bundle: Bundle, params: DetectorParams) -> Predictor:
        """Return the trained network as a function of photographs; see `detector_model`."""
        from assay.systems.pills.tasks import detector_model

        return partial(detector_model.predict, *detector_model.load(params, bundle), params)

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

    def draw_seen(self, bundle: Bundle, rows: Rows, folder: Path) -> None:
        """Draw what training makes of photographs: augmented, with their boxes."""
        from assay.systems.pills.tasks.detector_picture import draw_augmented

        draw_augmented(bundle, rows, folder)

    def refuse_predictions(self, predictions: Floats, rows: Rows) -> str:
        """Refuse what is no list of boxes a photograph."""
        from assay.systems.pills.tasks.boxes import FIELDS

        shape = predictions.shape
        if len(shape) == 2 and shape[0] == len(rows) and shape[1] % FIELDS == 0:
            return ""
        return f"{shape} for {len(rows)} photographs; expected boxes of {FIELDS} numbers"


DETECTOR = Detector()
