"""Where the CVM network looks: C2–C4, by a rule from Or, Po, Go, Me and Ar.

No landmark of Aariz lies on a vertebra. The rule's frame: its origin is halfway from articulare to
gonion, x runs forwards along Po → Or, y down, and the unit is the distance Ar–Me. In it C2–C4 reach, on
the mean of 160 phantom films, from x −0.32 to −0.08 and from y 0.07 to 0.56.

A film that is served comes without points. So the rule is asked of the training films alone, and
`model.finder` says what is made of their boxes, and kept with the weights. `fixed`: what holds them all
is one region of the stored square: 61 of 128 px on the phantom, with C2–C4 whole on 160 of 160 films;
60 of 128 px on the 60 films of the Hamedan set, with C2–C4 on each of 12 that were looked at. It knows
nothing of the film before it: a head that lies elsewhere than the training heads did is cut. `detector`:
a small network learns each film's own box; see `detector`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from assay.errors import AssayError
from assay.systems.ceph.tasks.names import SYMBOLS
from assay.systems.ceph.tasks.points import film_frame, target

if TYPE_CHECKING:
    from assay.manifest.rows import Rows

Numbers = npt.NDArray[Any]
Region = tuple[int, int, int]  # left, top, side: whole px of the stored square

RULE_POINTS = [SYMBOLS.index(name) for name in ("Or", "Po", "Go", "Me", "Ar")]
LEFT_OUT = 0.02  # of the boxes at either end: one misplaced point must not widen the region
WIDER = 1.1  # a film's own square, than its box
FEWEST = 4  # px: a side below this is no image


def boxes(found: Numbers, rule: Sequence[float]) -> Numbers:
    """Return the upright box (n, 4) of C2–C4: left, top, right, bottom in the points' px.

    Args:
        found: points (n, 29, 2); a box is nan where one of the five is absent.
        rule: back, top, front, bottom in the rule's frame and unit.
    """
    orbitale, porion, gonion, menton, articulare = np.moveaxis(found[:, RULE_POINTS], 1, 0)
    forwards = orbitale - porion
    forwards = forwards / np.linalg.norm(forwards, axis=1, keepdims=True)
    down = np.stack([-forwards[:, 1], forwards[:, 0]], axis=1)
    unit = np.linalg.norm(articulare - menton, axis=1)[:, None]
    back, top, front, bottom = rule
    corners = np.stack([
        (articulare + gonion) / 2 + unit * (x * forwards + y * down)
        for x in (back, front) for y in (top, bottom)
    ])  # fmt: skip
    return np.concatenate([corners.min(axis=0), corners.max(axis=0)], axis=1)


def landmark_boxes(rows: Rows, rule: Sequence[float]) -> Numbers:
    """Return the boxes (n, 4) of the rows' annotated points, px of the stored square."""
    found = boxes(target(rows), rule)
    return film_frame(rows).stored(found.reshape(-1, 2, 2)).reshape(-1, 4)


def stored_squares(rows: Rows, rule: Sequence[float]) -> Numbers:
    """Return the square (n, 3) around each film's box: centre x, y, side, as shares of the stored side.

    A tenth wider than the box, for what a detector is off by. A share of 0 is the outer edge of the
    first pixel; nan where a point is absent.
    """
    found = landmark_boxes(rows, rule)
    low, high = found[:, :2], found[:, 2:]
    side = WIDER * (high - low).max(axis=1, keepdims=True)
    squares = np.concatenate([(low + high) / 2 + 0.5, side], axis=1)
    shares: Numbers = squares / rows.image.shape[1]
    return shares


def learn_region(train: Rows, rule: Sequence[float]) -> Region:
    """Return the square that holds the boxes of the training films, but for the outermost 2 %.

    Raises:
        AssayError: no training film has all five points.
    """
    found = landmark_boxes(train, rule)
    found = found[is_found(found)]
    low = np.quantile(found[:, :2], LEFT_OUT, axis=0)
    high = np.quantile(found[:, 2:], 1 - LEFT_OUT, axis=0)
    size = train.image.shape[1]
    side = int(np.clip(np.ceil((high - low).max()), FEWEST, size))
    middle = (low + high) / 2
    left, top = np.clip(np.round(middle - (side - 1) / 2), 0, size - side).astype(int)
    return int(left), int(top), side


def complete(found: Numbers) -> npt.NDArray[np.bool_]:
    """Return which of the boxes or squares (n, …) are without nan."""
    there: npt.NDArray[np.bool_] = np.asarray(~np.isnan(found).any(axis=1))
    return there


def is_found(found: Numbers) -> npt.NDArray[np.bool_]:
    """Return which of the boxes or squares (n, …) are there.

    Raises:
        AssayError: none is.
    """
    there = complete(found)
    if not there.any():
        raise AssayError(
            "model.roi",
            "no training film whose target has all of Or, Po, Go, Me and Ar",
            "one at least, or the whole image",
            "dvc exp run -S ceph-cvm.model.roi=none -S ceph-cvm.model.finder=fixed",
        )
    return there


def full_frame(size: int) -> Region:
    """Return the region that leaves nothing out."""
    return 0, 0, size
