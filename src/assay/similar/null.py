"""How many inliers chance reaches in this very set, and how many a copy must have."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from assay.similar.colour import Floats

Integers = npt.NDArray[np.int64]

DRAWS = 20  # random pairs drawn for each one wanted: half are too similar, some in one group
LEAST, QUANTILE, FACTOR = 8, 0.95, 3


def null_pairs(descriptors: Floats, groups: Integers, count: int, seed: int) -> Integers:
    """Return up to `count` random pairs (m, 2) of rows i < j that should not be copies.

    They stand in different groups, and their colours differ by more than those of half of all
    random pairs.

    Args:
        descriptors: (n, columns) of colour.
        groups: (n,) known group of each row.
        count: pairs wanted; small sets hold fewer.
        seed: of the draw.
    """
    random = np.random.default_rng(seed)
    drawn = np.sort(random.integers(0, max(len(groups), 1), (DRAWS * count, 2)), axis=1)
    first, second = drawn.T
    drawn = drawn[groups[first] != groups[second]] if len(groups) else drawn[:0]
    if not len(drawn):
        return drawn
    apart = np.linalg.norm(descriptors[drawn[:, 0]] - descriptors[drawn[:, 1]], axis=1)
    unlike = drawn[apart >= np.median(apart)]
    _, order = np.unique(unlike, axis=0, return_index=True)
    kept: Integers = unlike[np.sort(order)[:count]]
    return kept


def threshold(inliers: Integers) -> int:
    """Return the fewest inliers of an accepted pair: three times the null's 95 % quantile, or 8.

    Not the null's maximum: a copy among the null pairs, which are many in a set full of copies,
    must not lift the threshold above all other copies; up to 5 % of them do not.

    Args:
        inliers: (m,) of the null pairs.
    """
    if not len(inliers):
        return LEAST
    return max(LEAST, FACTOR * int(np.quantile(inliers, QUANTILE, method="higher")))
