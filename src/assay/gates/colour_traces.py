"""Traces of any set of images: their colours and tones, and the target."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from assay.contract.traces import Traces
from assay.manifest.descriptors import PIXELS, describe
from assay.manifest.storage import column
from assay.manifest.views import views_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from assay.contract.system import System
    from assay.contract.traces import KeptData

MOST_CLASSES = 50
BLOCK = 256  # images in memory


def colour_traces(table: pl.DataFrame, system: System, stored: KeptData) -> Traces:
    """Return descriptors of every view, and the target; of classes, whether it is each of them."""
    told = table[system.target]
    if told.dtype.is_integer() and told.n_unique() <= MOST_CLASSES:
        known = told.drop_nulls().unique().sort().to_numpy()
        labels = (told.to_numpy()[:, None] == known).astype(np.float64)
        labels[told.is_null().to_numpy()] = np.nan
    else:
        labels = told.cast(pl.Float64).fill_null(np.nan).to_numpy()[:, None]
    views = [_colours(table[column(view, "digest")], stored) for view in views_of(table.columns)]
    return Traces(np.hstack(views), labels, np.arange(len(table)))


def _colours(digests: pl.Series, stored: KeptData) -> npt.NDArray[np.float64]:
    """Return (n, d): descriptors, and the logarithm of those that light multiplies."""
    found = [describe(stored.images(part)) for part in _blocks(digests)]
    plain = np.stack([np.concatenate([one[name] for one in found]) for name in PIXELS], axis=1)
    return np.hstack([plain, np.log(np.maximum(plain[:, :8], 1e-3))])


def _blocks(digests: pl.Series) -> list[pl.Series]:
    return [digests[start : start + BLOCK] for start in range(0, len(digests), BLOCK)]
