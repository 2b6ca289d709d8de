"""Whether two readers saw the same points, and whether a target is what both of them say.

Points are (n, 29, 2) px, NaN where absent; findings as in `anatomy`.
"""

from __future__ import annotations

import numpy as np

from assay.systems.ceph.data.anatomy import FEWEST, Finding, found, numbers
from assay.systems.ceph.data.landmarks import SYMBOLS
from assay.systems.ceph.data.mean_face import Floats
from assay.systems.ceph.data.pose import lay_on_mean

# Two readers of one point, mm of the mean face: real ≤ 8.9, phantom ≤ 7.7.
APART = 25.0
EXACT = 1e-3  # px


def readers_apart(senior: Floats, junior: Floats) -> list[Finding]:
    """Find points that two readers put in different places, one finding a landmark."""
    scale = lay_on_mean(senior).scale[:, None]
    apart = np.linalg.norm(senior - junior, axis=2) / scale > APART
    return found([
        (apart[:, place], f"{symbol}: the readers are more than {APART:g} mm apart")
        for place, symbol in enumerate(SYMBOLS)
    ])  # fmt: skip


def same_reader(senior: Floats, junior: Floats) -> list[Finding]:
    """Find films whose two readers are one file: every point equal in both coordinates."""
    both = np.isfinite(senior).all(axis=2) & np.isfinite(junior).all(axis=2)
    equal = both & (senior == junior).all(axis=2)
    copied = (both.sum(axis=1) >= FEWEST) & (equal.sum(axis=1) == both.sum(axis=1))
    return found([(copied, "senior and junior are the same points")])


def not_the_mean(targets: Floats, senior: Floats, junior: Floats) -> list[Finding]:
    """Find targets that are not the readers' mean, and say so where it was rounded, or rounded up."""
    mean = (senior + junior) / 2
    off = targets - mean
    differs = np.abs(off) > EXACT
    rows = np.asarray(differs.any(axis=(1, 2)))
    if not rows.any():
        return []
    reason = "the target is not the mean of both readers"
    whole = differs & (targets == np.round(targets)) & (np.abs(off) < 1)
    if (whole == differs).all():
        bias = float(np.nanmean(off))
        up = (off[differs] > 0).all()
        reason += f": rounded{' up' if up else ''}, {bias:+.2f} px on the average"
    return [Finding(numbers(rows), reason)]
