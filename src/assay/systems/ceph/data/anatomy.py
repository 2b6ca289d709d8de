"""Whether points can be a head at all: how they lie to each other and to their film.

Pure functions over numpy arrays; points are (n, 29, 2) px, x right, y down, NaN where absent. Each
returns findings, which name rows and say why; none judges a row that has too few points for it. The
margins beside the limits are measured on 60 real films (two readers, 19 landmarks; Hamedan) and on 240
phantom films, both readers each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from assay.systems.ceph.data.landmarks import PLACE, SYMBOLS
from assay.systems.ceph.data.mean_face import mean_face
from assay.systems.ceph.data.pose import lay_on_mean

if TYPE_CHECKING:
    from assay.systems.ceph.data.mean_face import Floats

Bools = npt.NDArray[np.bool_]
FEWEST = 8  # points of a row that a pose is taken from
# Median distance to the mean face, mm: real ≤ 5.6, phantom ≤ 5.4; mirrored or transposed ≥ 70.
MISFIT = 12.0
TURN = 35.0  # degrees: real ≤ 9.3, phantom ≤ 10.5
# One point from its place on the mean face, mm: real ≤ 17.2 (Po, Go), phantom ≤ 14.5.
PLACE_LIMIT = 35.0
# What an exchange of landmarks has to win over a whole set, mm: on real films no exchange wins any.
EXCHANGE = 5.0
FEWEST_ROWS = 5  # that speak for a set


@dataclass(frozen=True)
class AnatomyFault:
    """Rows that share one fault; none where the fault is the whole set's."""

    rows: tuple[int, ...]
    reason: str


def wrong_way(points: Floats) -> list[AnatomyFault]:
    """Find mirrored films, exchanged x and y, and heads on their side or upside down."""
    plain, mirror = lay_on_mean(points), lay_on_mean(points, mirrored=True)
    judged = plain.count >= FEWEST
    mirrored = judged & (mirror.misfit < 0.5 * plain.misfit)
    # The mirror image is taken top to bottom: turned by 180° it is one left to right.
    quarter = np.round(mirror.turn / 90) % 4
    turned = judged & ~mirrored & (plain.misfit <= MISFIT) & (np.abs(plain.turn) > TURN)
    return found([
        (mirrored & (quarter == 2), "mirrored: the face looks to the left"),
        (mirrored & (quarter == 1), "x and y are exchanged"),
        (mirrored & (quarter == 0), "upside down and mirrored"),
        (mirrored & (quarter == 3), "x and y are exchanged, and both run backwards"),
        (turned, f"the head is turned by more than {TURN:g}°"),
    ])  # fmt: skip


def no_face(points: Floats) -> list[AnatomyFault]:
    """Find rows whose points form no face whichever way it is held: another order, other landmarks."""
    plain, mirror = lay_on_mean(points), lay_on_mean(points, mirrored=True)
    misfit = np.minimum(plain.misfit, mirror.misfit)
    strange = (plain.count >= FEWEST) & (misfit > MISFIT)
    return found([(strange, f"the points lie more than {MISFIT:g} mm (median) from any face's")])


def misplaced(points: Floats) -> list[AnatomyFault]:
    """Find single points far from where a face has them, one finding a landmark."""
    fit = lay_on_mean(points)
    off = np.linalg.norm(fit.aligned - mean_face(), axis=2)
    sound = (fit.count >= FEWEST) & (fit.misfit <= MISFIT)
    return found([
        (sound & (off[:, place] > PLACE_LIMIT), f"{symbol} lies more than {PLACE_LIMIT:g} mm away")
        for place, symbol in enumerate(SYMBOLS)
    ])  # fmt: skip


def exchanged(points: Floats) -> list[AnatomyFault]:
    """Find landmarks that carry each other's names in the whole set: joined by position, not by id.

    What lies within 4 mm of each other is told apart by order: upper incisors stand in front.
    """
    fit = lay_on_mean(points)
    sound = (fit.count >= FEWEST) & (fit.misfit <= 2 * MISFIT)
    if sound.sum() < FEWEST_ROWS:
        return []
    laid = fit.aligned[sound]
    known = np.flatnonzero(np.isfinite(laid[..., 0]).sum(axis=0) >= FEWEST_ROWS)
    middle = np.array([np.nanmedian(laid[:, place], axis=0) for place in known])
    cost = np.linalg.norm(middle[:, None] - mean_face()[known], axis=2)
    _, best = linear_sum_assignment(cost)
    own, other = np.diag(cost), cost[np.arange(len(known)), best]
    said = [
        f"{SYMBOLS[known[i]]} lies where {SYMBOLS[known[best[i]]]} belongs"
        for i in np.flatnonzero(own - other > EXCHANGE)
    ]
    overjet = laid[:, PLACE["UIT"], 0] - laid[:, PLACE["LIT"], 0]
    if np.isfinite(overjet).sum() >= FEWEST_ROWS and np.nanmedian(overjet) < 0:
        said.append("UIT lies behind LIT")
    return [AnatomyFault((), "; ".join(said))] if said else []


def outside_film(points: Floats, width: Floats, height: Floats) -> Bools:
    """Return which points (n, 29) lie outside their film; a point on its last edge is inside."""
    limit = np.stack([width, height], axis=1)[:, None]
    return np.asarray(((points < 0) | (points > limit)).any(axis=2))


def found(masks: Iterable[tuple[Bools, str]]) -> list[AnatomyFault]:
    """Return a finding for each mask that has rows."""
    return [AnatomyFault(numbers(mask), reason) for mask, reason in masks if mask.any()]


def numbers(mask: Bools) -> tuple[int, ...]:
    """Return the rows under a mask (n,)."""
    return tuple(int(row) for row in np.flatnonzero(mask))
