"""What a spectrum is measured in: the share of the light that falls on a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from assay.contract.quantity import Quantity

if TYPE_CHECKING:
    import numpy.typing as npt


def from_decibel(table: pl.DataFrame) -> npt.NDArray[np.float64]:
    """Return (n,) the means, were the spectra in dB; their sign is turned over already."""
    mean = table["mean"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    return np.asarray(10 ** (-mean / 10))


# Four cells share what falls in, so that their mean is a quarter at most; RCWA 0.239, phantom 0.227,
# published 0.11 and 0.12 over three channels.
MEAN = Quantity(
    "mean", "mean", "of the light", (0.0, 0.2501), (0.02, 0.2501), {"%": 0.01, "dB": from_decibel},
    apart=0.2, limit=0.35, spread=4.0,
)  # fmt: skip
