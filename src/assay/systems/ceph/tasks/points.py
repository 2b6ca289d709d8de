"""Points as tasks see them: labels and predictions in original px, and the stored image's frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from assay.learning.vision.geometry import Frame
from assay.systems.ceph.tasks.names import COUNT, STAGES

if TYPE_CHECKING:
    from assay.manifest.rows import Rows

Numbers = npt.NDArray[Any]
FLAT = 2 * COUNT
UNKNOWN = "unknown"  # a film's machine


class Labels(NamedTuple):
    """What predictions are scored against.

    Attributes:
        target: (n, 29, 2) px of the film; nan where absent, as in both readers'.
        senior: the senior reader's.
        junior: the junior reader's.
        spacing: (n,) mm per px; nan where not known.
        stage: (n,) CVM 0–5; nan where not known.
    """

    target: Numbers
    senior: Numbers
    junior: Numbers
    spacing: Numbers
    stage: Numbers


class Said(NamedTuple):
    """What a network says of films, in px of whatever the predictions are in.

    Attributes:
        points: (n, 29, 2).
        doubt: (n, 29) the expected radial error, of maps alone.
        probabilities: (n, 6) of the CVM stages, of a network that reads them too.
    """

    points: Numbers
    doubt: Numbers | None
    probabilities: Numbers | None


def reader_points(rows: Rows, name: str) -> Numbers:
    """Return the points of a reader, or the `target`, (n, 29, 2), original px; nan where absent."""
    column: Numbers = np.stack(list(rows.columns[name])).astype(np.float64)
    return column.reshape(len(column), COUNT, 2)


def target(rows: Rows) -> Numbers:
    """Return what is learned of the readers' points (n, 29, 2), original px; see `ceph.ingest.target`."""
    return reader_points(rows, "target")


def spacing(rows: Rows) -> Numbers:
    """Return mm per original px (n,); nan where not known."""
    return np.array(rows.columns["spacing"], dtype=np.float64)


def stage(rows: Rows) -> Numbers:
    """Return the CVM stage 0–5 (n,), float64; nan where nobody stated one."""
    return np.array(rows.columns["cvm"], dtype=np.float64)


def machine(rows: Rows) -> Numbers:
    """Return the X-ray machine's name (n,), or `unknown`."""
    return np.array([name or UNKNOWN for name in rows.columns["machine"].tolist()])


def film_frame(rows: Rows, size: int | None = None) -> Frame:
    """Return where the films lie in their stored squares."""
    side = rows.image.shape[1] if size is None else size
    return Frame(
        rows.columns["width"].astype(np.float64), rows.columns["height"].astype(np.float64), side
    )


def labels(rows: Rows) -> npt.NDArray[np.float32]:
    """Return (n, 176): target, senior and junior points in original px, flat, mm per px, stage."""
    parts = [target(rows), reader_points(rows, "senior"), reader_points(rows, "junior")]
    flat = [part.reshape(len(part), FLAT) for part in parts]
    alone = [spacing(rows)[:, None], stage(rows)[:, None]]
    return np.concatenate([*flat, *alone], axis=1).astype(np.float32)


def split_labels(table: Numbers) -> Labels:
    """Return the parts of what `labels` gave."""
    points = [table[:, start : start + FLAT].reshape(-1, COUNT, 2) for start in (0, FLAT, 2 * FLAT)]
    return Labels(points[0], points[1], points[2], table[:, -2], table[:, -1])


def said(predictions: Numbers) -> Said:
    """Return the parts of predictions (n, 58), (n, 64) with stages, or (n, 87) with doubts."""
    found, more = predictions[:, :FLAT].reshape(-1, COUNT, 2), predictions[:, FLAT:]
    match more.shape[1]:
        case 0:
            return Said(found, None, None)
        case count if count == COUNT:
            return Said(found, more, None)
        case count if count == len(STAGES):
            return Said(found, None, more)
    raise ValueError(f"predictions {predictions.shape}: 58 numbers a film, 64, or 87")


def restored(predictions: Numbers, rows: Rows) -> npt.NDArray[np.float32]:
    """Return predictions in px of the stored image as such of the original film; stages as they are."""
    placed, parts = film_frame(rows), said(predictions)
    found = [placed.original(parts.points).reshape(len(predictions), FLAT)]
    if parts.doubt is not None:
        found.append(parts.doubt / placed.scale[:, None])
    if parts.probabilities is not None:
        found.append(parts.probabilities)
    return np.concatenate(found, axis=1).astype(np.float32)


def mean_shape(train: Rows) -> Numbers:
    """Return the mean place (29, 2) of each landmark, in shares of the square; its middle if unseen."""
    placed = film_frame(train, size=1).stored(target(train))
    seen = ~np.isnan(placed)
    total = np.where(seen, placed, 0).sum(axis=0)
    found: Numbers = total / np.maximum(seen.sum(axis=0), 1)
    return found
