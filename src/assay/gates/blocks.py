"""Consecutive lines of a table that are written otherwise than its other lines: typed by somebody else.

A table may be sorted, by its label too: then neighbours are alike at every border, and nothing is found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from assay.gates.measured import Bools, Floats

CELLS = 48  # of a table: borders are looked for between them
BINS = 64
FEWEST = 24  # values of a table that is looked at, and 8 of a block
NEAR = 16  # values on either side of a border
LARGEST = 2 / 3  # of the values: where a block has more, the others are the odd ones
ALIKE = 0.1  # distance of distributions that a block may keep once converted, beyond chance
Block = tuple[int, int]


def other_unit(value: Floats, converted: Floats) -> Block | None:
    """Return the block of values that, converted, is most like the others, where it is not as it stands.

    Args:
        value: (n,) in the table's order.
        converted: (n,) the same, read as if written in another unit.
    """
    count = len(value)
    if count < FEWEST:
        return None
    borders = np.unique(np.linspace(0, count, min(CELLS, count // 4) + 1).astype(int))
    first, last = np.triu_indices(len(borders), 1)
    size = borders[last] - borders[first]
    sound = (size >= max(8, count // 20)) & (size <= LARGEST * count)
    first, last, size = first[sound], last[sound], size[sound]
    edges = np.quantile(np.concatenate([value, converted]), np.linspace(0, 1, BINS + 1)[1:-1])
    plain, other = (_cumulated(each, edges, borders) for each in (value, converted))
    rest = plain[-1] - (plain[last] - plain[first])
    rest = rest / np.maximum(rest[:, -1:], 1)
    apart, alike = (
        np.abs((each[last] - each[first]) / size[:, None] - rest).max(axis=1)
        for each in (plain, other)
    )
    chance = 1.36 * np.sqrt(1 / size + 1 / (count - size))
    gain = np.where(alike <= ALIKE + chance, (apart - alike) / chance, 0)
    cell = int(np.ceil(count / (len(borders) - 1)))
    for place in np.argsort(-gain)[:20]:
        start, stop = int(borders[first[place]]), int(borders[last[place]])
        if gain[place] <= 1:
            return None
        if _jumps(value, converted, start, stop, cell):
            return _refined(value, (start, stop), 2 * cell)
    return None


def longest_run(same: Bools, value: Floats) -> Block:
    """Return the longest run of values that are all so; equal neighbours count once."""
    best = start = stop = steps = most = 0
    for place, so in enumerate(same):
        if not so:
            start, steps = place + 1, 0
            continue
        steps += place == start or value[place] != value[place - 1]
        if steps > most:
            best, stop, most = start, place + 1, steps
    return best, stop


def _cumulated(value: Floats, edges: Floats, borders: npt.NDArray[np.intp]) -> Floats:
    """Return (borders, bins): how many of the values before a border lie in a bin or below it."""
    counts = np.zeros((len(borders), len(edges) + 1))
    cells = np.searchsorted(borders, np.arange(len(value)), side="right")
    np.add.at(counts, (cells, np.searchsorted(edges, value)), 1)
    return np.asarray(counts.cumsum(axis=0).cumsum(axis=1))


def _jumps(value: Floats, converted: Floats, start: int, stop: int, cell: int) -> bool:
    """Whether, at each border within the table, converted neighbours are nearer than plain ones.

    A border is known to a cell, which is left out on either side.
    """
    size = min(NEAR, max(stop - start - 2 * cell, 4))
    inner, outer = [], []
    if start > cell:
        outer.append(slice(max(start - cell - NEAR, 0), start - cell))
        inner.append(slice(start + cell, start + cell + size))
    if stop + cell < len(value):
        outer.append(slice(stop + cell, stop + cell + NEAR))
        inner.append(slice(stop - cell - size, stop - cell))
    for inside, outside in zip(inner, outer, strict=True):
        beyond, plain, other = (
            np.median(each) for each in (value[outside], value[inside], converted[inside])
        )
        if abs(other - beyond) >= abs(plain - beyond):
            return False
    return bool(inner)


def _refined(value: Floats, block: Block, reach: int) -> Block:
    """Move the borders to where they part best what lies on either side of the middle of both medians."""
    start, stop = block
    own, rest = np.median(value[start:stop]), np.median(np.delete(value, slice(start, stop)))
    votes = np.where((value < (own + rest) / 2) == (own < rest), 1, -1)
    sums = np.r_[0, np.cumsum(votes)]
    first, last = max(start - reach, 0), max(stop - reach, start + 1)
    start = first + int(sums[first : start + reach + 1].argmin())
    stop = last + int(sums[last : stop + reach + 1].argmax())
    return (start, stop) if start + 1 < stop < len(value) or start else block
