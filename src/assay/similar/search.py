"""Exact search: every pair of hashes within a Hamming radius of each other, under eight views."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt

from assay.manifest.hashes import Hashes, views

Integers = npt.NDArray[np.int64]

BANDS, WIDTH = 4, 16
SEED = 0
CHUNK = 1 << 20  # pairs compared at once: 32 MiB


def near_hashes(hashes: Hashes, radius: int) -> Integers:
    """Return the pairs (m, 2) of rows i < j, sorted, of which one lies near a view of the other.

    Exact. The 64 bits are dealt into 4 bands of 16; of two hashes within the radius at least one
    band differs in as few bits as `_allowed` says (pigeonhole), so looking into a band's buckets
    at all keys that near finds every pair (multi-index hashing: Norouzi, Punjani, Fleet, CVPR
    2012). Neighbouring coefficients are correlated; dealing the bits out at random evens the bands.

    Args:
        hashes: (n,) perceptual hashes.
        radius: bits that may differ, 0–11.
    """
    distinct, row = np.unique(hashes, return_inverse=True)
    count = len(distinct)
    deal = np.random.default_rng(SEED).permutation(BANDS * WIDTH).reshape(BANDS, WIDTH)
    found = [np.arange(count) * (count + 1)]  # each hash with itself
    for bits, allowed in zip(deal, _allowed(radius), strict=False):
        index = _Buckets(_keys(distinct, bits))
        for view in views(distinct).T:
            keys = _keys(view, bits)
            for probe in _probes(allowed):
                for left, right in index.pairs(keys ^ probe):
                    near = np.bitwise_count(view[left] ^ distinct[right]) <= radius
                    near &= left < right
                    found.append(left[near] * count + right[near])
    left, right = np.divmod(np.unique(np.concatenate(found)), max(count, 1))
    return _of_rows(left, right, row)


def _allowed(radius: int) -> list[int]:
    """Return how far each band's key may lie; where all lie farther, the sum exceeds the radius."""
    if not 0 <= radius < 3 * BANDS:
        raise ValueError(f"a radius in 0–{3 * BANDS - 1}, found {radius}")
    each, more = divmod(radius + 1, BANDS)
    return [each - (band >= more) for band in range(BANDS) if each - (band >= more) >= 0]


def _probes(allowed: int) -> list[int]:
    return [
        sum(1 << bit for bit in bits)
        for size in range(allowed + 1)
        for bits in combinations(range(WIDTH), size)
    ]


def _keys(hashes: Hashes, bits: Integers) -> Integers:
    keys = np.zeros(len(hashes), dtype=np.int64)
    for place, bit in enumerate(bits):
        keys |= ((hashes >> np.uint64(bit)) & np.uint64(1)).astype(np.int64) << place
    return keys


class _Buckets:
    """The members of each key, one behind the other, and where each key's members start."""

    def __init__(self, keys: Integers, size: int = 1 << WIDTH) -> None:
        self.members = np.argsort(keys, kind="stable")
        self.starts = np.searchsorted(keys[self.members], np.arange(size + 1))

    def pairs(self, keys: Integers) -> Iterator[tuple[Integers, Integers]]:
        """Yield (positions in `keys`, members of their buckets), about `CHUNK` at a time."""
        first = self.starts[keys]
        lengths = self.starts[keys + 1] - first
        ends = np.cumsum(lengths)
        total = int(ends[-1]) if len(ends) else 0
        cuts = np.searchsorted(ends, np.arange(0, total, CHUNK), side="right")
        for low, high in pairwise([*np.unique(cuts), len(keys)]):
            part = lengths[low:high]
            left = np.repeat(np.arange(low, high), part)
            before = ends[low:high] - part
            within = np.arange(before[0], before[0] + len(left)) - np.repeat(before, part)
            yield left, self.members[np.repeat(first[low:high], part) + within]


def _of_rows(left: Integers, right: Integers, row: Integers) -> Integers:
    """Return the pairs of rows that pairs of distinct hashes stand for."""
    index = _Buckets(row, int(row.max(initial=-1)) + 1)
    found = [np.empty((0, 2), dtype=np.int64)]
    for pair, first in index.pairs(left):
        for place, second in index.pairs(right[pair]):
            both = np.stack([first[place], second], axis=1)
            # Of two rows with one hash, each is also met as the other's partner, and as its own.
            same = left[pair[place]] == right[pair[place]]
            found.append(np.sort(both[~same | (both[:, 0] < both[:, 1])], axis=1))
    pairs = np.concatenate(found)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
