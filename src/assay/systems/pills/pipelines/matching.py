"""Found pills against true ones: each takes at most one, the surest found pill first."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from assay.systems.pills.learning.detection_scores import overlaps

Numbers = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]
NONE = -1


class PillMatches(NamedTuple):
    """The pills of one photograph.

    Attributes:
        pair: (k,) the true pill that each found one takes, or −1.
        right: (k,) whether it is of the named drug too.
        overlap: (k,) with that pill; 0 where there is none.
        placed: how many boxes find a pill, whatever they are named.
    """

    pair: npt.NDArray[np.int64]
    right: Mask
    overlap: Numbers
    placed: int


def match(
    found: Numbers, said: Numbers, true: Numbers, drugs: Numbers, least: float
) -> PillMatches:
    """Match the pills of one photograph, the surest found one first.

    A found pill is right where it overlaps a true one by `least` or more and has its drug. What is left
    over is paired by place alone, so that a wrong name can be told from a pill beside.

    Args:
        found: (k, 4) boxes, the surest first.
        said: (k,) the drugs they were named.
        true: (m, 4) boxes.
        drugs: (m,) their drugs.
        least: intersection over union.
    """
    shares = overlaps(found[None], true[None])[0]
    right = pairs(np.where(said[:, None] == drugs, shares, 0), least)
    left = shares.copy()
    left[right != NONE] = 0
    left[:, right[right != NONE]] = 0
    pair = np.where(right == NONE, pairs(left, least), right)
    overlap = np.where(pair == NONE, 0, np.append(shares, np.zeros((len(pair), 1)), 1)[
        np.arange(len(pair)), pair
    ])  # fmt: skip
    return PillMatches(pair, right != NONE, overlap, int((pairs(shares, least) != NONE).sum()))


def pairs(shares: Numbers, least: float) -> npt.NDArray[np.int64]:
    """Return which column (k,) each row of overlaps (k, m) takes, in order; −1 where none is left."""
    free = shares.copy()
    taken = np.full(len(shares), NONE, dtype=np.int64)
    for row in range(len(shares) if shares.shape[1] else 0):
        best = int(free[row].argmax())
        if free[row, best] >= least - 1e-9:
            taken[row] = best
            free[:, best] = 0
    return taken
