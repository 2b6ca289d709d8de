"""Boxes as the detector sees them: six numbers each, in px of the photograph or of its stored square.

A box is x, y, width, height with COCO's edges: 0 is the outer edge of the first pixel. The frame counts
from its centre, so half a pixel goes between. Score and class stand behind; nan is no box, and a class
of nan a pill that nobody named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from assay.learning.vision.geometry import Frame

if TYPE_CHECKING:
    from assay.manifest.rows import Rows

Numbers = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
FIELDS = 6


def pill_boxes(rows: Rows) -> list[Numbers]:
    """Return each photograph's true boxes (k, 6), px of the original; score 1, class of the table."""
    found = []
    for boxes, classes in zip(rows.columns["boxes"], rows.columns["classes"], strict=True):
        own = np.array([list(box) for box in boxes], dtype=np.float64).reshape(-1, 4)
        ids = np.array(list(classes), dtype=np.float64)[:, None]
        found.append(np.concatenate([own, np.ones_like(ids), ids], axis=1))
    return found


def padded(boxes: list[Numbers], most: int | None = None) -> Floats:
    """Return lists of (k, 6) as (n, 6·most), nan behind; `most` is the longest where it is not said."""
    width = max((len(each) for each in boxes), default=0) if most is None else most
    table = np.full((len(boxes), max(width, 1), FIELDS), np.nan, dtype=np.float32)
    for row, each in enumerate(boxes):
        table[row, : min(len(each), width)] = each[:width]
    return table.reshape(len(boxes), -1)


def photograph_frame(rows: Rows) -> Frame:
    """Return where the photographs lie in their stored squares."""
    width, height = (rows.columns[name].astype(np.float64) for name in ("width", "height"))
    return Frame(width, height, rows.image.shape[1])


def to_stored(table: Numbers, rows: Rows) -> Numbers:
    """Return boxes (n, 6k) px of the original as px of the stored square, float64."""
    return _moved(table, photograph_frame(rows).stored)


def to_original(table: Numbers, rows: Rows) -> Floats:
    """Return boxes (n, 6k) px of the stored square as px of the original, cut off at its edges."""
    boxes = _moved(table, photograph_frame(rows).original).reshape(len(table), -1, FIELDS)
    size = np.stack([rows.columns["width"], rows.columns["height"]], axis=1)[:, None]
    low = np.clip(boxes[:, :, :2], 0, size)
    high = np.clip(boxes[:, :, :2] + boxes[:, :, 2:4], 0, size)
    boxes[:, :, :2], boxes[:, :, 2:4] = low, high - low
    return boxes.reshape(len(table), -1).astype(np.float32)


def _moved(table: Numbers, move: Any) -> Numbers:
    boxes = table.astype(np.float64).reshape(len(table), -1, FIELDS).copy()
    low, high = (
        move(corner - 0.5) + 0.5 for corner in (boxes[:, :, :2], boxes[:, :, :2] + boxes[:, :, 2:4])
    )
    boxes[:, :, :2], boxes[:, :, 2:4] = low, high - low
    return boxes.reshape(len(table), -1)


def mean_box(train: Rows, rows: Rows) -> Floats:
    """Return (n, 6·pills) one box a row: where training boxes lie on average, in shares; score 1."""
    own = pill_boxes(train)
    size = np.concatenate([
        np.tile([[width, height, width, height]], (len(each), 1)) for each, width, height in
        zip(own, train.columns["width"], train.columns["height"], strict=True)
    ])  # fmt: skip
    shares = np.concatenate(own)[:, :4] / size
    middle, extent = (shares[:, :2] + shares[:, 2:] / 2).mean(axis=0), shares[:, 2:].mean(axis=0)
    box = np.concatenate([middle - extent / 2, extent])
    scale = np.stack([rows.columns[name] for name in ("width", "height") * 2], axis=1)
    found = np.full((len(rows), 1, FIELDS), np.nan)
    found[:, 0, :4], found[:, 0, 4] = box * scale, 1
    return padded(list(found), max(len(each) for each in own))
