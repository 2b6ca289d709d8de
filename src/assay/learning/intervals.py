"""Intervals: a bootstrap that draws groups, not rows, since rows of one person are not independent.

The percentile method of Efron (Annals of Statistics 1979; 7: 1–26) over whole groups. SciPy's draws
rows, and stays out of the learning core.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Statistics = Callable[[npt.NDArray[np.int64]], Sequence[float]]


def group_intervals(
    groups: npt.NDArray[np.generic],
    statistics: Statistics,
    resamples: int,
    confidence: float,
    seed: int,
) -> list[tuple[float, float]]:
    """Return the percentile interval of each statistic.

    Args:
        groups: (n,) the group of each row; whole groups are drawn with replacement.
        statistics: row indices (with repeats) → one number a statistic.
        resamples: bootstrap resamples.
        confidence: for example 0.95.
        seed: of the resampling.

    Returns:
        (low, high) a statistic; (nan, nan) with fewer than two groups. A resample in which a statistic
        is not defined (R² of equal labels) does not count for that statistic.
    """
    _, number = np.unique(groups, return_inverse=True)
    members = [np.flatnonzero(number == group) for group in range(number.max() + 1)]
    if len(members) < 2:
        return [(float("nan"), float("nan"))] * len(statistics(np.arange(len(groups))))
    random = np.random.default_rng(seed)
    drawn = random.integers(0, len(members), (resamples, len(members)))
    values = [statistics(np.concatenate([members[group] for group in draw])) for draw in drawn]
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(np.asarray(values), [tail, 1 - tail], axis=0)
    return list(zip(low.tolist(), high.tolist(), strict=True))
