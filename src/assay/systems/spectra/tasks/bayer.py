"""Task `spectra-bayer`: a metasurface structure → what each cell of the sensor gets, bin by bin."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from assay.contract.score import Score
from assay.systems.spectra.tasks.params import BayerParams

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from assay.contract.task import Predictor
    from assay.manifest.rows import Rows
    from assay.runs.run import Run
    from assay.sections.data import DataParams

    Floats = npt.NDArray[np.float32]


class Bayer:
    """A task of the contract. Predictions are (n, 4 · bins): R, G1, G2 and B, one after the other.

    The headline is the squared error, so that the skill against the training rows' mean spectrum is
    R² as the field states it; the metric `r2` asks the mean of the scored rows themselves.
    """

    name = "spectra-bayer"
    data = "spectra"
    params = BayerParams
    headline = Score("mse", digits=6, trivial="mean spectrum")

    def validate_params(self, own: BayerParams, data: DataParams) -> str:
        """Refuse a fold that the split does not have, and an input that does not divide the structure."""
        if own.train.fold >= data.split.folds:
            return f"train.fold {own.train.fold}, but {self.data}.split.folds is {data.split.folds}"
        if data.ingest.size % own.model.input_size:
            side = own.model.input_size
            return f"model.input_size {side}, but {self.data}.ingest.size is {data.ingest.size}"
        return ""

    def labels(self, rows: Rows) -> Floats:
        """Return the spectra (n, 4 · bins), shares of the power that falls in."""
        import numpy as np

        return np.array(rows.columns["bayer"], dtype=np.float32).reshape(len(rows), -1)

    def fit(self, train: Rows, valid: Rows, params: BayerParams, run: Run) -> None:
        """Preflight, train and record; see `bayer_fit`."""
        from assay.systems.spectra.tasks import bayer_fit

        bayer_fit.run_training(self, train, valid, params, run)

    def predictor(self, weights: Path, params: BayerParams) -> Predictor:
        """Return the trained network as a function of structures (n, h, w, 1) of 0 and 1."""
        from assay.systems.spectra.tasks import bayer_model

        symmetry = params.train.symmetry if params.train.average else "none"
        network = bayer_model.load(params.model, weights, symmetry)
        return partial(
            bayer_model.predict, network, params.model.input_size,
            config=params.train
        )  # fmt: skip

    def restore(self, predictions: Floats, rows: Rows) -> Floats:
        """Return them as they are: a spectrum lies nowhere in the image."""
        return predictions

    def baseline(self, train: Rows, rows: Rows) -> Floats:
        """Return the mean spectrum of the training rows."""
        import numpy as np

        mean = self.labels(train).mean(axis=0, keepdims=True, dtype=np.float64)
        spectrum: Floats = mean.astype(np.float32)
        return spectrum.repeat(len(rows), axis=0)

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
