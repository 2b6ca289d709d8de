"""What of spectra can be seen in structures: the light behind thin plates of the same form.

Scalar diffraction behind four plates stands for the true one, whose material and distance nobody states:
a model of seconds that learns from the structure's own pixels explains a tenth of that. Each structure
stands twice, as it is and turned by half: red and blue are exchanged then, and so are their spectra.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.contract.traces import Traces
from assay.systems.spectra.optics.physics import seen_through

if TYPE_CHECKING:
    import numpy.typing as npt
    import polars as pl

    from assay.contract.traces import KeptData

BANDS = 10
PLATES = ((0.6, 2.0), (0.6, 1.0), (0.3, 2.0), (0.6, 4.0))  # height, distance to the sensor; µm
BLOCK = 256  # structures in memory


def spectra_traces(table: pl.DataFrame, stored: KeptData) -> Traces:
    """Return traces of rows; bands of red, green and blue."""
    behind = [
        seen_through(stored.images(part["digest"])[..., 0] > 0, PLATES, BANDS)
        for part in table.iter_slices(BLOCK)
    ]
    light = np.concatenate(behind).astype(np.float64)
    bands = np.array_split(stored.labels(table)["bayer"].astype(np.float64), BANDS, axis=-1)
    told = np.stack([band.mean(axis=-1) for band in bands if band.shape[-1]], axis=-1)
    pictures, labels = _even_and_odd(light), _even_and_odd(told[:, None])
    rows = np.arange(len(table))
    return Traces(np.vstack(pictures), np.vstack(labels), np.tile(rows, 2))


def _even_and_odd(
    cells: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return cells (n, plates, 2, 2, bands) as sums and differences (n, k), and turned by half."""
    red, blue = cells[:, :, 0, 0], cells[:, :, 1, 1]
    green = (cells[:, :, 0, 1] + cells[:, :, 1, 0]) / 2
    even = np.stack([red + blue, green], axis=1).reshape(len(cells), -1)
    odd = (red - blue).reshape(len(cells), -1)
    return np.hstack([even, odd]), np.hstack([even, -odd])
