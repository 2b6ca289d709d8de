"""Masks of rows, as the manifest has them; and the cells that predictions are given in."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from assay.errors import AssayError
from assay.learning.vision.geometry import Frame
from assay.systems.pills.tasks.segmentation_params import cell

if TYPE_CHECKING:
    from assay.manifest.rows import Rows

Numbers = npt.NDArray[Any]
Masks = npt.NDArray[np.uint8]


def masks_of(rows: Rows) -> Masks:
    """Return the stored masks, uint8 (n, size, size).

    Raises:
        AssayError: they are not of the images' size: the two were not made by one ingest.
    """
    size = rows.image.shape[1]
    found = np.empty((len(rows), size, size), np.uint8)
    for row, content in enumerate(rows.columns["mask"]):
        mask = np.asarray(Image.open(io.BytesIO(content)))
        if mask.shape != (size, size):
            raise AssayError(
                str(rows.columns["sample_id"][row]), f"a mask of {mask.shape} px",
                f"{size} x {size}, as its image", "dvc repro split@pills.masks",
            )  # fmt: skip
        found[row] = mask
    return found


def names_of(rows: Rows) -> tuple[str, ...]:
    """Return the names of the classes by number; every row has the whole list."""
    return tuple(str(name) for name in rows.columns["classes"][0])


def majority_class(masks: Masks) -> npt.NDArray[np.float32]:
    """Return the class that most pixels of each cell have, (n, cells); of equals the lower one.

    A cell has 2 × 2 px, or as many more as leave 128 cells along a side: see `cell`.
    """
    count, size = len(masks), masks.shape[1]
    step = cell(size)
    side = size // step
    blocks = masks.reshape(count, side, step, side, step)
    most = np.zeros((count, side, side), np.int32)
    found = np.zeros((count, side, side), np.float32)
    for number in range(int(masks.max(initial=0)) + 1):
        here = (blocks == number).sum(axis=(2, 4), dtype=np.int32)
        found[here > most] = number
        np.maximum(most, here, out=most)
    return found.reshape(count, -1)


def majority_vote(maps: Sequence[Numbers]) -> npt.NDArray[np.float32]:
    """Return the class that most of several maps (n, cells) have, of equals the lower; nan stays."""
    each = np.stack(maps)
    count = int(np.nanmax(each, initial=0)) + 1
    votes = np.stack([(each == number).sum(axis=0) for number in range(count)])
    return np.where(np.isnan(each).any(axis=0), np.nan, votes.argmax(axis=0)).astype(np.float32)


def spread(maps: Numbers, size: int) -> Masks:
    """Return class maps (n, any grid) as masks (n, size, size): a cell's class is its pixels'."""
    side = round(maps.shape[1] ** 0.5)
    grid = maps.astype(np.uint8).reshape(len(maps), side, side)
    return grid.repeat(size // side, axis=1).repeat(size // side, axis=2)


def letterbox_cells(rows: Rows, count: int) -> npt.NDArray[np.bool_]:
    """Return which of `count` cells a row lie on the letterbox's bars, (n, count)."""
    side, size = round(count**0.5), rows.image.shape[1]
    width, height = (rows.columns[name].astype(np.float64) for name in ("width", "height"))
    middles = (np.arange(side) + 0.5) * size / side - 0.5
    grid = np.stack(np.meshgrid(middles, middles), axis=-1).reshape(1, -1, 2)
    spots = Frame(width, height, size).original(grid)
    beyond = (spots < -0.5) | (spots > np.stack([width, height], axis=1)[:, None] - 0.5)
    return np.asarray(beyond.any(axis=2))


def within(maps: Numbers, rows: Rows) -> npt.NDArray[np.float32]:
    """Return class maps (n, cells) with nan on the letterbox's bars: no photograph is there."""
    found: npt.NDArray[np.float32] = np.where(letterbox_cells(rows, maps.shape[1]), np.nan, maps)
    return found.astype(np.float32)
