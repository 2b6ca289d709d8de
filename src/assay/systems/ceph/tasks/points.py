"""Points as tasks see them: both readers' mean in original px, and the stored image's frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from assay.learning.landmarks.geometry import Frame
from assay.systems.ceph.tasks.names import COUNT

if TYPE_CHECKING:
    from assay.manifest.rows import Rows

Numbers = npt.NDArray[Any]
FLAT = 2 * COUNT


def reader(rows: Rows, name: str) -> Numbers:
    """Return a reader's points (n, 29, 2), original px, float64; nan where absent."""
    column: Numbers = np.stack(list(rows.columns[name])).astype(np.float64)
    return column.reshape(len(column), COUNT, 2)


def target(rows: Rows) -> Numbers:
    """Return the mean of both readers (n, 29, 2), original px, unrounded; nan unless both have it."""
    mean: Numbers = (reader(rows, "senior") + reader(rows, "junior")) / 2
    return mean


def spacing(rows: Rows) -> Numbers:
    """Return mm per original px (n,); nan where not known."""
    return np.array(rows.columns["spacing"], dtype=np.float64)


def frame(rows: Rows, size: int | None = None) -> Frame:
    """Return where the films lie in their stored squares."""
    side = rows.images.shape[1] if size is None else size
    return Frame(
        rows.columns["width"].astype(np.float64), rows.columns["height"].astype(np.float64), side
    )


def labels(rows: Rows) -> npt.NDArray[np.float32]:
    """Return (n, 175): target, senior and junior points in original px, flat, and mm per px."""
    parts = [target(rows), reader(rows, "senior"), reader(rows, "junior")]
    flat = [part.reshape(len(part), FLAT) for part in parts]
    return np.concatenate([*flat, spacing(rows)[:, None]], axis=1).astype(np.float32)


def parted(table: Numbers) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Return target, senior, junior (n, 29, 2) and spacing (n,) from what `labels` gave."""
    points = [table[:, start : start + FLAT].reshape(-1, COUNT, 2) for start in (0, FLAT, 2 * FLAT)]
    return points[0], points[1], points[2], table[:, -1]


def mean_shape(train: Rows) -> Numbers:
    """Return the mean place (29, 2) of each landmark, in shares of the square; its middle if unseen."""
    placed = frame(train, size=1).stored(target(train))
    seen = ~np.isnan(placed)
    total = np.where(seen, placed, 0).sum(axis=0)
    found: Numbers = total / np.maximum(seen.sum(axis=0), 1)
    return found
