"""Intervals: a bootstrap that draws groups, not rows, since rows of one person are not independent.

The percentile method of Efron (Annals of Statistics 1979; 7: 1–26) over whole groups. SciPy's draws
rows, and stays out of the learning core.

Where all is right, or all wrong, every resample says the same, and the percentiles are a point. That is
no interval: of n groups that all say so, up to 1 − (α/2)^(1/n) of all may say otherwise (Clopper
and Pearson, Biometrika 1934; 26: 404–413; Hanley and Lippman-Hand, "If nothing goes wrong, is everything
all right?", JAMA 1983; 249: 1743–1745). What lies between bounds, as a share does, moves by that much of
their distance at most: 80 of 80 right is [0.955, 1]. An error may be of any size in a group that nobody
saw, so that of 0 in all groups has no interval: nan.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Statistics = Callable[[npt.NDArray[np.int64]], Sequence[float]]
Bounds = tuple[float, float]
Floats = npt.NDArray[np.float64]

# Names of metrics that are shares of right answers, or means of such: 0 to 1, whatever the rows.
SHARES = re.compile(
    r"(?:^|_)(?:acc|accuracy|dice|exact|f1|m?iou|map\d*|precision|recall|sdr|share|top\d+|whole|within)(?:_|$)"
)
SHARE: Bounds = (0.0, 1.0)
SAME = 1e-12  # resamples this far apart say the same


def is_share(metric: str) -> bool:
    """Return whether a metric lies between 0 and 1 by what it counts; one by another name is no share."""
    return SHARES.search(metric) is not None


def group_intervals(
    groups: npt.NDArray[np.generic],
    statistics: Statistics,
    resamples: int,
    confidence: float,
    seed: int,
    bounds: Sequence[Bounds | None] = (),
) -> list[tuple[float, float]]:
    """Return the percentile interval of each statistic.

    Args:
        groups: (n,) the group of each row; whole groups are drawn with replacement.
        statistics: row indices (with repeats) → one number a statistic.
        resamples: bootstrap resamples.
        confidence: for example 0.95.
        seed: of the resampling.
        bounds: between which each statistic lies; None, or no entry: it has none.

    Returns:
        (low, high) a statistic; (nan, nan) with fewer than two groups, and for one without bounds that
        is the same in all resamples. A resample in which a statistic is not defined (R² of equal labels)
        does not count for that statistic.
    """
    _, number = np.unique(groups, return_inverse=True)
    members = [np.flatnonzero(number == group) for group in range(number.max() + 1)]
    if len(members) < 2:
        return [(float("nan"), float("nan"))] * len(statistics(np.arange(len(groups))))
    random = np.random.default_rng(seed)
    drawn = random.integers(0, len(members), (resamples, len(members)))
    values = [statistics(np.concatenate([members[group] for group in draw])) for draw in drawn]
    tail = (1 - confidence) / 2
    least, low, high, most = np.nanquantile(np.asarray(values), [0, tail, 1 - tail, 1], axis=0)
    found = list(zip(low.tolist(), high.tolist(), strict=True))
    same = [place for place, wide in enumerate(most - least) if wide <= SAME]
    alone = np.asarray([statistics(rows) for rows in members] if same else [])
    for place in same:
        known = bounds[place] if place < len(bounds) else None
        found[place] = _of_equals(float(least[place]), alone[:, place], known, tail)
    return found


def _of_equals(value: float, alone: Floats, bounds: Bounds | None, tail: float) -> Bounds:
    """Return the interval of what has one `value` in all resamples, and `alone` (n,) in each group."""
    # A group that has nothing of what is counted says nan, or another value: it proves nothing.
    count = int((np.abs(alone - value) <= SAME).sum()) or int(np.isfinite(alone).sum())
    if bounds is None or not count:
        return float("nan"), float("nan")
    other = 1 - tail ** (1 / count)  # of all groups, those that may say otherwise
    return value - other * (value - bounds[0]), value + other * (bounds[1] - value)
