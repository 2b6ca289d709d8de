"""Whether two readers saw the same points, what they say together, and whether a target is that.

Points are (n, 29, 2) px, NaN where absent; findings as in `anatomy`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from assay.systems.ceph.data.anatomy import FEWEST, AnatomyFault, found, numbers
from assay.systems.ceph.data.landmarks import SYMBOLS
from assay.systems.ceph.data.pose import lay_on_mean

if TYPE_CHECKING:
    from assay.systems.ceph.data.mean_face import Floats

# Two readers of one point, mm of the mean face: real ≤ 8.9, phantom ≤ 7.7.
APART = 25.0
EXACT = 1e-3  # px
Way = Literal["mean", "senior", "any"]
WAYS: tuple[Way, ...] = ("mean", "senior", "any")


def target_of(senior: Floats, junior: Floats, way: Way) -> Floats:
    """Return what is learned of two readers' points, unrounded; NaN where it is masked.

    `mean` is masked unless both have the point, `senior` is the senior's alone, `any` is the mean of
    those that are there.
    """
    if way == "senior":
        return senior
    mean = (senior + junior) / 2
    if way == "mean":
        return mean
    alone = np.where(np.isnan(senior), junior, senior)
    return np.where(np.isnan(mean), alone, mean)


def readers_apart(senior: Floats, junior: Floats) -> list[AnatomyFault]:
    """Find points that two readers put in different places, one finding a landmark."""
    scale = lay_on_mean(senior).scale[:, None]
    apart = np.linalg.norm(senior - junior, axis=2) / scale > APART
    return found([
        (apart[:, place], f"{symbol}: the readers are more than {APART:g} mm apart")
        for place, symbol in enumerate(SYMBOLS)
    ])  # fmt: skip


def same_reader(senior: Floats, junior: Floats) -> list[AnatomyFault]:
    """Find films whose two readers are one file: every point equal in both coordinates."""
    both = np.isfinite(senior).all(axis=2) & np.isfinite(junior).all(axis=2)
    equal = both & (senior == junior).all(axis=2)
    copied = (both.sum(axis=1) >= FEWEST) & (equal.sum(axis=1) == both.sum(axis=1))
    return found([(copied, "senior and junior are the same points")])


def way_of(targets: Floats, senior: Floats, junior: Floats) -> Way | None:
    """Return which of the ways leads from the readers to these targets; None where none does."""
    for way in WAYS:
        made = target_of(senior, junior, way)
        if np.isclose(targets, made, rtol=0, atol=EXACT, equal_nan=True).all():
            return way
    return None


def not_the_readers(targets: Floats, senior: Floats, junior: Floats) -> list[AnatomyFault]:
    """Find targets that the readers do not say, and say so where a mean was rounded, or rounded up."""
    if way_of(targets, senior, junior) is not None:
        return []
    mean = target_of(senior, junior, "any")
    off = targets - mean
    differs = (np.abs(off) > EXACT) | (np.isnan(mean) & ~np.isnan(targets))
    rows = np.asarray(differs.any(axis=(1, 2)))
    reason = "the target is not what the readers say: neither their mean nor the senior's point"
    if not rows.any():
        return [AnatomyFault((), f"{reason}, and points are masked that both readers have")]
    whole = differs & (targets == np.round(targets)) & (np.abs(off) < 1)
    if (whole == differs).all():
        bias = float(np.nanmean(off))
        up = (off[differs] > 0).all()
        reason += f": rounded{' up' if up else ''}, {bias:+.2f} px on the average"
    return [AnatomyFault(numbers(rows), reason)]
