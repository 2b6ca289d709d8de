"""What of boxes and masks can be seen in photographs: where they are unlike their ground."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from assay.contract.traces import Traces
from assay.systems.pills.data.mask import read_mask

if TYPE_CHECKING:
    import numpy.typing as npt

    from assay.contract.traces import KeptData

    Floats = npt.NDArray[np.float64]

CELLS = 8  # along a side of the square
FINE = 64  # px along a side, of what boxes cover
BLOCK = 128  # photographs in memory


def of_boxes(table: pl.DataFrame, stored: KeptData) -> Traces:
    """Return traces of photographs and of what their boxes cover."""
    told = np.stack([_covered(*row) for row in table.select("boxes", "width", "height").rows()])
    return Traces(_unlike(table, stored), _summed(told), np.arange(len(table)))


def of_masks(table: pl.DataFrame, stored: KeptData) -> Traces:
    """Return traces of photographs and of what their masks cover."""
    rows = table.with_row_index("row").filter(pl.col("mask").is_not_null())
    masks = [read_mask(content) for content in rows["mask"]]
    told = np.stack([np.asarray(mask) != 0 for mask in masks]).astype(np.float64)
    return Traces(_unlike(rows, stored), _summed(told), rows["row"].to_numpy().astype(np.int64))


def _covered(boxes: list[list[float]], width: int, height: int) -> Floats:
    """Return which of the letterboxed square's `FINE` × `FINE` px lie in a box."""
    found = np.zeros((FINE, FINE))
    side = max(width, height)
    left, top = (side - width) / 2, (side - height) / 2
    for x, y, w, h in boxes:
        ends = np.array([left + x, top + y, left + x + w, top + y + h]) * FINE / side
        a, b, c, d = np.rint(ends).astype(int)
        found[b : max(d, b + 1), a : max(c, a + 1)] = 1
    return found


def _unlike(table: pl.DataFrame, stored: KeptData) -> Floats:
    """Return (n, k): how far cells are from the median colour of their photograph."""
    found = []
    for part in table.iter_slices(BLOCK):
        pixels = stored.images(part["digest"]).astype(np.float64)
        within = pixels.max(axis=3) > 0  # bars of the letterbox are black
        seen = np.where(within[..., None], pixels, np.nan)
        ground = np.nan_to_num(np.nanmedian(seen, axis=(1, 2), keepdims=True))
        apart = np.where(within, np.abs(pixels - ground).sum(axis=3), 0)
        strong = np.quantile(apart, 0.98, axis=(1, 2), keepdims=True)
        found.append(np.minimum(apart / np.maximum(strong, 1), 1))
    return _summed(np.concatenate(found))


def _summed(covered: Floats) -> Floats:
    """Return (n, CELLS² + 6) of maps (n, side, side): cells, then mass, place and size."""
    count, side = covered.shape[:2]
    edges = np.linspace(0, side, CELLS + 1).astype(int)[:-1]
    cells = np.add.reduceat(np.add.reduceat(covered, edges, axis=1), edges, axis=2)
    at = (np.arange(side) + 0.5) / side
    mass = np.maximum(covered.sum(axis=(1, 2)), 1e-9)
    x, y = covered.sum(axis=1) @ at / mass, covered.sum(axis=2) @ at / mass
    wide = covered.sum(axis=1) @ at**2 / mass - x**2
    high = covered.sum(axis=2) @ at**2 / mass - y**2
    lean = np.einsum("nij,i,j->n", covered, at, at) / mass - x * y
    return np.column_stack([cells.reshape(count, -1), mass, x, y, wide, high, lean])
