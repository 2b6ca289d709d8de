"""Task `spectra-bayer`: a metasurface structure → what each cell of the sensor gets, bin by bin."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from assay.contract.score import Score
from assay.systems.spectra.tasks.params import BayerParams
from assay.tasks.base import BaseTask

if TYPE_CHECKING:
    from assay.contract.scored import Floats
    from assay.manifest.rows import Rows
    from assay.sections.data import DataParams
    from assay.systems.spectra.tasks.bayer_learner import BayerLearner


class Bayer(BaseTask[BayerParams]):
    """Predictions are (n, 4 · bins): R, G1, G2 and B, one after the other.

    The headline is the squared error, so that the skill against the training rows' mean spectrum is
    R² as the field states it; the metric `r2` asks the mean of the scored rows themselves.
    """

    name = "spectra-bayer"
    short = "bayer"
    data = "spectra"
    params = BayerParams
    headline = Score("mse", digits=6, trivial="mean spectrum")

    def learner(self, params: BayerParams) -> BayerLearner:
        """Return a network of four cells."""
        from assay.systems.spectra.tasks.bayer_learner import BayerLearner

        return BayerLearner(self, params)

    def validate_params(self, own: BayerParams, data: DataParams) -> str:
        """Refuse an input that does not divide the structure."""
        if data.ingest.size % own.model.input_size:
            side = own.model.input_size
            return f"model.input_size {side}, but {self.data}.ingest.size is {data.ingest.size}"
        return ""

    def labels(self, rows: Rows) -> Floats:
        """Return the spectra (n, 4 · bins), shares of the power that falls in."""
        import numpy as np

        return np.array(rows.columns["bayer"], dtype=np.float32).reshape(len(rows), -1)

    def metrics(self, predictions: Floats, labels: Floats) -> dict[str, float]:
        """Return MSE, Pearson and R² over R, G and B, and of each channel by itself."""
        from assay.systems.spectra.learning.scores import spectra_scores
        from assay.systems.spectra.tasks.names import as_cells

        return spectra_scores(as_cells(predictions), as_cells(labels))

    def rank(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """Prefer the lowest squared error."""
        return (metrics["mse"],)

    def pictures(self, predictions: Floats, rows: Rows, folder: Path) -> None:
        """Draw the best, the median and the worst spectra, the error of each bin, and the data."""
        from assay.systems.spectra.tasks.picture import draw

        draw(predictions, self.labels(rows), rows, folder)

    def draw_row(self, row: Rows, path: Path) -> None:
        """Draw one structure beside its spectra."""
        from assay.systems.spectra.tasks.drawing import draw_sample

        draw_sample(row, self.labels(row), path)


BAYER = Bayer()
