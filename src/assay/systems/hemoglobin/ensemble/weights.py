"""How much each member of an ensemble counts, by what members say out of fold.

The simplex grid is every division of 1 into whole steps, comb(1/step + m - 1, m - 1) points of m members:
1,771 of four at 0.05. It is searched whole, a block of points at a time. The nearest point of the grid is
at most m/2 steps away from any weights (all members together), and MAE moves by no more than half of that
times the distance of the members: the best point is at most m/4 · step · (mean distance between the
lowest and the highest member) above the best of all weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import comb
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from assay.systems.hemoglobin.ensemble.column_scores import column_scores

if TYPE_CHECKING:
    from assay.systems.hemoglobin.ensemble.column_scores import Numbers

BLOCK = 1 << 21  # numbers, 16 MiB
TIE = 1e-9  # g/dL: sums of the same numbers in another order differ by less
Ints = npt.NDArray[np.int64]
Weights = npt.NDArray[np.float64]


def weights_of(
    said: Numbers, labels: Numbers, members: Sequence[int], how: str, step: float
) -> dict[int, float]:
    """Return member → weight; they sum to 1.

    Args:
        said: (models, rows) out of fold, in g/dL.
        labels: (rows,) in g/dL.
        members: places in `said`; one that is named twice has one weight.
        how: `simplex` or `inverse_mae`.
        step: of the grid.
    """
    own = sorted(set(members))
    some = said[own]
    found = (
        simplex_weights(some, labels, step)
        if how == "simplex"
        else inverse_mae_weights(some, labels)
    )
    return dict(zip(own, map(float, found), strict=True))


def inverse_mae_weights(said: Numbers, labels: Numbers) -> Weights:
    """Return weights (members,) proportional to 1 / MAE; members without error share all of it."""
    mae = column_scores(said, labels)["mae"]
    inverse = (mae == 0).astype(np.float64) if (mae == 0).any() else 1 / mae
    shares: Weights = inverse / inverse.sum()
    return shares


def simplex_weights(said: Numbers, labels: Numbers, step: float) -> Weights:
    """Return the weights (members,) on the grid whose weighted sum has the lowest MAE.

    Of equals (within 1e-9 g/dL) the most even, then the first of the grid's order.

    Args:
        said: (members, rows) in g/dL.
        labels: (rows,) in g/dL.
        step: of the grid; 1 is a whole number of it.

    Raises:
        ValueError: 1 is no whole number of steps.
    """
    steps = round(1 / step)
    if abs(steps * step - 1) > 1e-9:
        raise ValueError(f"step {step}: 1 is no whole number of it")
    size = max(1, BLOCK // said.shape[1])
    apart = (
        np.asarray(said, np.float64) - labels
    )  # weights sum to 1, so errors add up as answers do
    lowest = min(float(_errors(block, apart).min()) for block in _divisions(steps, len(said), size))
    best: tuple[int, tuple[int, ...]] | None = None
    for block in _divisions(steps, len(said), size):
        equal = block[_errors(block, apart) <= lowest + TIE]
        if len(equal):
            first = equal[np.argmin((equal**2).sum(axis=1))]
            found = int((first**2).sum()), tuple(map(int, first))
            best = found if best is None or found[0] < best[0] else best
    assert best is not None
    return np.array(best[1], np.float64) / steps


def _errors(block: Ints, apart: Weights) -> Weights:
    """Return the MAE (points,) of weights (points, members) in steps, of errors (members, rows)."""
    errors: Weights = np.abs(block @ apart).mean(axis=1) / block[0].sum()
    return errors


def _divisions(steps: int, members: int, size: int) -> Iterator[Ints]:
    """Yield every way (≤ size, members) to give `steps` to the members, in one order."""
    count = comb(steps + members - 1, members - 1)
    for start in range(0, count, size):
        yield _unranked(np.arange(start, min(start + size, count)), steps, members)


def _unranked(rank: Ints, steps: int, members: int) -> Ints:
    """Return the divisions (n, members) with these numbers in the order of all."""
    found = np.zeros((len(rank), members), np.int64)
    left, rank = np.full(len(rank), steps), rank.copy()
    for member in range(members - 1):
        after = members - 2 - member  # members that follow, less one
        # Divisions that begin with less than v, of l steps left: those of the first v numbers.
        table = np.array(
            [
                np.cumsum([0] + [comb(most - first + after, after) for first in range(most + 1)])[
                    np.minimum(np.arange(steps + 2), most + 1)
                ]
                for most in range(steps + 1)
            ]
        )
        begins = table[left]
        found[:, member] = (begins <= rank[:, None]).sum(axis=1) - 1
        rank -= np.take_along_axis(begins, found[:, [member]], 1)[:, 0]
        left -= found[:, member]
    found[:, -1] = left
    return found
