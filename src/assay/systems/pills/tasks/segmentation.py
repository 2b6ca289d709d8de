"""Task `pills-segmentation`: a photograph → which class each cell of it is of, 0 the ground."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assay.contract.score import Score
from assay.systems.pills.tasks.segmentation_params import SegmentationParams
from assay.tasks.base import BaseTask

if TYPE_CHECKING:
    from assay.contract.scored import Floats
    from assay.manifest.rows import Rows
    from assay.sections.data import DataParams
    from assay.systems.pills.tasks.segmentation_learner import SegmentationLearner


class Segmentation(BaseTask[SegmentationParams]):
    """Predictions and labels are (n, cells): a class a cell, row by row.

    The grid has at most 128 cells a side, whatever the network's stride: `segmentation_masks`. Cells on
    the letterbox's bars are nan: ground that nobody photographed is not scored.
    """

    name = "pills-segmentation"
    short = "mask"
    data = "pills.masks"
    params = SegmentationParams
    reads: Sequence[str] = ("width", "height")
    headline = Score("miou", digits=2, best=1.0, trivial="all ground")

    def validate_params(self, own: SegmentationParams, data: DataParams) -> str:
        """Refuse maps that do not tile the image."""
        from assay.systems.pills.tasks.segmentation_params import cell

        size, stride = data.ingest.size, own.model.stride
        if size % max(stride, cell(size)):
            return f"{self.data}.ingest.size {size} is no multiple of {max(stride, cell(size))}"
        return ""

    def labels(self, rows: Rows) -> Floats:
        """Return the class of most of each cell's pixels (n, cells); nan on the bars."""
        from assay.systems.pills.tasks import segmentation_masks

        masks = segmentation_masks.masks_of(rows)
        return segmentation_masks.within(segmentation_masks.majority_class(masks), rows)

    def learner(self, params: SegmentationParams) -> SegmentationLearner:
        """Return a U-Net that says a class a cell of its own stride."""
        from assay.systems.pills.tasks.segmentation_learner import SegmentationLearner

        return SegmentationLearner(self, params)

    def baseline(self, train: Rows, rows: Rows) -> Floats:
        """Return the ground everywhere: what most cells are, and no pill ever."""
        import numpy as np

        from assay.systems.pills.tasks import segmentation_masks
        from assay.systems.pills.tasks.segmentation_params import cell

        size = rows.image.shape[1]
        ground = np.zeros((len(rows), (size // cell(size)) ** 2), np.float32)
        return segmentation_masks.within(ground, rows)

    def combine(self, predictions: Sequence[Floats]) -> Floats:
        """Return the class that most models say of a cell, of equals the lower one."""
        from assay.systems.pills.tasks import segmentation_masks

        return segmentation_masks.majority_vote(predictions)

    def metrics(self, predictions: Floats, labels: Floats) -> dict[str, float]:
        """Return mean IoU, mean Dice and pixel accuracy; classes that neither side has do not count."""
        from assay.systems.pills.learning.segmentation_scores import map_scores

        return map_scores(predictions, labels)

    def rank(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """Prefer the highest mean IoU; of equal ones the highest accuracy."""
        return (-metrics["miou"], -metrics["pixel_accuracy"])

    def pictures(self, predictions: Floats, rows: Rows, folder: Path) -> None:
        """Draw the best, the median and the worst photograph, and list the scores of each class."""
        from assay.systems.pills.tasks.segmentation_picture import draw

        draw(predictions, self.labels(rows), rows, folder)

    def draw_row(self, row: Rows, path: Path) -> None:
        """Draw one stored photograph with the outlines of its mask."""
        from assay.systems.pills.tasks.segmentation_picture import draw_row

        draw_row(row, path)


SEGMENTATION = Segmentation()
