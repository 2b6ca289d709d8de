"""Task `ceph-landmarks`: a lateral film → 29 points, by heatmaps or coordinates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assay.contract.score import Score
from assay.systems.ceph.tasks.params import LandmarkParams
from assay.tasks.base import BaseTask

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from assay.contract.scored import Floats
    from assay.manifest.rows import Rows
    from assay.sections.data import DataParams
    from assay.systems.ceph.tasks.landmarks_learner import LandmarksLearner


class Landmarks(BaseTask[LandmarkParams]):
    """Predictions are (n, 58): x and y of each landmark, px of the original film.

    Networks with maps add the expected error of each, (n, 87); one that reads the CVM stage too adds
    the stages' probabilities, (n, 64).
    """

    name = "ceph-landmarks"
    short = "ceph"
    data = "ceph"
    params = LandmarkParams
    reads: Sequence[str] = ("width", "height")  # of the film, for the way back to its px
    headline = Score("mre_px", "px", digits=1, trivial="mean shape")

    def learner(self, params: LandmarkParams) -> LandmarksLearner:
        """Return a network of maps or coordinates."""
        from assay.systems.ceph.tasks.landmarks_learner import LandmarksLearner

        return LandmarksLearner(self, params)

    def validate_params(self, own: LandmarkParams, data: DataParams) -> str:
        """Refuse maps that do not tile the image."""
        if data.ingest.size % own.model.stride:
            return f"model.stride {own.model.stride}, but {self.data}.ingest.size is {data.ingest.size}"
        return ""

    def labels(self, rows: Rows) -> Floats:
        """Return target, both readers' points, pixel size and CVM stage; see `points`."""
        from assay.systems.ceph.tasks import points

        return points.labels(rows)

    def baseline(self, train: Rows, rows: Rows) -> Floats:
        """Return the mean shape of the training films, laid into each film's square."""
        from assay.systems.ceph.tasks import points

        shape = points.mean_shape(train)[None].repeat(len(rows), axis=0)
        laid: Floats = points.film_frame(rows, size=1).original(shape).astype("float32")
        return laid.reshape(len(rows), -1)

    def metrics(self, predictions: Floats, labels: Floats) -> dict[str, float]:
        """Return MRE and SDR to the target, MRE to each reader and between the readers, and more.

        What is in mm is absent where no film has a pixel size; see `landmarks_scores`.
        """
        from assay.systems.ceph.tasks.landmarks_scores import scores

        return scores(predictions, labels)

    def rank(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """Prefer the lowest MRE."""
        return (metrics["mre_px"],)

    def pictures(self, predictions: Floats, rows: Rows, folder: Path) -> None:
        """Draw the best, the median and the worst film, and errors by landmark, machine, distance."""
        from assay.systems.ceph.tasks.picture import draw

        draw(predictions, rows, folder)

    def slices(self, rows: Rows) -> Mapping[str, npt.NDArray[np.generic]]:
        """Part the films by X-ray machine."""
        from assay.systems.ceph.tasks.points import machine

        return {"machine": machine(rows)}

    def draw_row(self, row: Rows, path: Path) -> None:
        """Draw one stored film with both readers' points."""
        from assay.systems.ceph.tasks.drawing import draw_readers

        draw_readers(row, path)


LANDMARKS = Landmarks()
