"""What of points can be seen in films: thumbnails, and the profiles of what is bright in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.contract.traces import Traces
from assay.systems.ceph.data.checks import points_of
from assay.systems.ceph.data.films import stored as laid

if TYPE_CHECKING:
    import numpy.typing as npt
    import polars as pl

    from assay.contract.traces import KeptData

    Floats = npt.NDArray[np.float64]

CELLS = 16  # of a thumbnail, along a side
BLOCK = 100  # films in memory


def film_traces(table: pl.DataFrame, stored: KeptData) -> Traces:
    """Return traces of films, and where their points lie in the stored square, in shares of it."""
    found = [
        _thumbnails(stored.images(part["digest"])[..., 1]) for part in table.iter_slices(BLOCK)
    ]
    extent = table.select("width", "height").to_numpy().astype(np.float64)
    points = laid(points_of(table, "target"), extent, 1)
    told = points.reshape(len(table), -1)
    some = np.isfinite(told).any(axis=1)
    told = told[:, np.isfinite(told[some]).mean(axis=0) > 0.5]
    middle = np.nanmean(told[some], axis=0) if some.any() else np.zeros(told.shape[1])
    told = np.where(np.isfinite(told), told, middle)
    told[~some] = np.nan
    return Traces(np.concatenate(found), told, np.arange(len(table)))


def _thumbnails(grey: npt.NDArray[np.uint8]) -> Floats:
    """Return (n, k) of films (n, side, side): cells, and profiles, of zero mean and unit spread."""
    films = grey.astype(np.float64)
    edges = np.linspace(0, grey.shape[1], CELLS + 1).astype(int)
    sizes = np.diff(edges)
    cells = np.add.reduceat(np.add.reduceat(films, edges[:-1], axis=1), edges[:-1], axis=2)
    cells /= sizes[:, None] * sizes
    flat = cells.reshape(len(films), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    return np.asarray(flat / np.maximum(flat.std(axis=1, keepdims=True), 1e-9))
