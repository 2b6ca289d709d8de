"""How far chance reaches in this very set, and what a copy must have more.

One threshold does not fit all. The most inliers of all 1,770 pairs of 60 different lateral films
are 22 (95 % quantile 15): anatomy and cephalostat look alike; of 1,770 pairs of phantom eyes 15 (9),
of 500 random pairs of conjunctival crops 6 (4). Correlations reach 0.69 (0.54), 0.64 (0.40) and
0.77 (0.45). Pairs with some likeness reach more: among degraded copies of 150 small crops those
between 0.82 and 0.9 by correlation alone were of different eyes, and joined twelve into one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from assay.similar.colour import Floats
    from assay.similar.match import Match

Integers = npt.NDArray[np.int64]

DRAWS = 20  # random pairs drawn for each one wanted: half are too similar, some in one group
LEAST_CORRELATION, LEAST_INLIERS, LEAST_BORNE_OUT = 0.9, 6, 0.6
FREE = 2  # inliers that any motion has: two matches always agree
QUANTILE, FACTOR, REST, BEARING = 0.95, 4, 1 / 5, 1 / 2
# A little piece of a smooth picture resembles many: correlation alone needs half of the larger.
LEAST_OVERLAP = 0.5


def null_pairs(
    descriptors: Floats, groups: Integers, count: int, seed: int, kinds: Integers | None = None
) -> Integers:
    """Return up to `count` random pairs (m, 2) of rows i < j that should not be copies.

    They stand in different groups, and their colours differ by more than those of half of all
    random pairs. Both are of one kind: a nail and an eye are never alike, and say nothing of two eyes.

    Args:
        descriptors: (n, columns) of colour.
        groups: (n,) known group of each row.
        count: pairs wanted; small sets hold fewer.
        seed: of the draw.
        kinds: (n,) what the pictures are of; None where all are of one kind.
    """
    random = np.random.default_rng(seed)
    drawn = np.sort(random.integers(0, max(len(groups), 1), (DRAWS * count, 2)), axis=1)
    first, second = drawn.T
    drawn = drawn[groups[first] != groups[second]] if len(groups) else drawn[:0]
    if kinds is not None:
        drawn = drawn[kinds[drawn[:, 0]] == kinds[drawn[:, 1]]]
    if not len(drawn):
        return drawn
    apart = np.linalg.norm(descriptors[drawn[:, 0]] - descriptors[drawn[:, 1]], axis=1)
    unlike = drawn[apart >= np.median(apart)]
    _, order = np.unique(unlike, axis=0, return_index=True)
    kept: Integers = unlike[np.sort(order)[:count]]
    return kept


@dataclass(frozen=True)
class PairThreshold:
    """A pair is accepted by its correlation alone, or by inliers that the pictures bear out.

    Not by inliers alone: the same letters, burnt into two films, would make copies of them, and so
    would outlines that all crops share. Of 4,100 pairs of degraded crops of one picture that have six
    inliers or more, 99 % correlate by 0.8; of 1,400 phantom eyes, none of which stands twice, pairs of
    29 inliers by 0.35, of 20 by 0.46, and of 11 by 0.67.
    """

    correlation: float
    inliers: int
    borne_out: float

    def accepts(self, match: Match) -> bool:
        alike = match.correlation >= self.correlation and match.overlap >= LEAST_OVERLAP
        borne_out = match.correlation >= self.borne_out
        return alike or (match.inliers >= self.inliers and borne_out)


LEAST = PairThreshold(LEAST_CORRELATION, LEAST_INLIERS, LEAST_BORNE_OUT)  # no set's is less strict


def rule(inliers: Integers, correlations: npt.NDArray[np.float64]) -> PairThreshold:
    """Return the rule that the null pairs leave.

    Inliers: two, and four times what their 95 % quantile has more, at least 6. Correlation alone:
    four fifths of the way from their 95 % quantile to 1, at least 0.9; to bear inliers out: half of
    the way, at least 0.6.
    Quantiles, not the maximum: a copy among the null pairs, which are many in a set full of copies,
    must not lift the rule above all other copies.

    Args:
        inliers: (m,) most inliers of each null pair.
        correlations: (m,) highest correlation of each null pair.
    """
    if not len(inliers):
        return LEAST
    beyond = int(np.quantile(inliers, QUANTILE, method="higher")) - FREE
    high = float(np.quantile(correlations, QUANTILE, method="higher"))
    return PairThreshold(
        correlation=round(max(LEAST_CORRELATION, 1 - (1 - high) * REST), 3),
        inliers=max(LEAST_INLIERS, FREE + FACTOR * beyond),
        borne_out=round(max(LEAST_BORNE_OUT, 1 - (1 - high) * BEARING), 3),
    )
