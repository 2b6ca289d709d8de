"""One digest for a structure and its 32 moves: flips, transpose, rolls by half a period.

Of the 32 moved structures one is chosen by how many pixels are set in its 4 × 4 blocks, which the moves
permute; where several moves give equal blocks, the smallest in bytes. So 2 kB are digested once, not 32
times, and equal digests mean equal orbits but for a collision of blake2b.
"""

from __future__ import annotations

from hashlib import blake2b
from itertools import product

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.uint8]  # (n, side, side / 8), the first pixel in the highest bit
Move = tuple[bool, tuple[bool, bool], tuple[bool, bool]]  # transposed, then flipped, then rolled
BLOCKS = 4  # along a side: the coarsest grid that tells flips from rolls
PAIRS = tuple(product((False, True), (False, True)))
MOVES: tuple[Move, ...] = tuple(product((False, True), PAIRS, PAIRS))
PLAIN = len(MOVES) // 2  # the first half does not transpose
REVERSED = np.packbits(np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)[:, ::-1])


def digests(bits: Bits) -> list[bytes]:
    """Return the digest (16 bytes) of each packed structure."""
    return [blake2b(row, digest_size=16).digest() for row in np.ascontiguousarray(bits)]


def orbit_digests(bits: Bits, diagonal: npt.NDArray[np.bool_]) -> list[bytes]:
    """Return the digest of each packed structure's orbit under the 32 moves.

    Args:
        bits: (n, side, side / 8).
        diagonal: (n,) whether a structure equals its transpose: 16 moves give its orbit.
    """
    keys = _blocks(bits) @ _weights()
    keys[diagonal, PLAIN:] = np.iinfo(np.int64).max
    best = keys == keys.min(axis=1, keepdims=True)
    found = [b""] * len(bits)
    for number, move in enumerate(MOVES):
        rows = np.flatnonzero(best[:, number])
        if len(rows):
            for row, digest in zip(
                rows.tolist(), digests(move_structures(bits[rows], move)), strict=True
            ):
                found[row] = min(found[row], digest) if found[row] else digest
    return found


def move_structures(bits: Bits, move: Move) -> Bits:
    """Return packed structures after a move."""
    transposed, (rows, columns), (down, across) = move
    if transposed:
        bits = np.packbits(np.unpackbits(bits, axis=2).transpose(0, 2, 1), axis=2)
    if rows:
        bits = bits[:, ::-1]
    if columns:
        bits = REVERSED[bits[:, :, ::-1]]
    if down:
        bits = np.roll(bits, bits.shape[1] // 2, axis=1)
    return _rolled(bits) if across else bits


def _rolled(bits: Bits) -> Bits:
    """Roll columns by half; a half that ends within a byte is rolled pixel by pixel."""
    width = bits.shape[2]
    if width % 2 == 0:
        return np.roll(bits, width // 2, axis=2)
    pixels = np.unpackbits(bits, axis=2)
    return np.packbits(np.roll(pixels, 4 * width, axis=2), axis=2)


def is_diagonal(structures: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return which structures (n, side, side) equal their transpose."""
    half = structures.shape[1] // 2
    upper, lower = structures[:, :half, half:], structures[:, half:, :half]
    found = (upper == lower.transpose(0, 2, 1)).all(axis=(1, 2))
    for part in (slice(0, half), slice(half, None)):
        block = structures[:, part, part]
        found &= (block == block.transpose(0, 2, 1)).all(axis=(1, 2))
    return np.asarray(found)


def _blocks(bits: Bits) -> npt.NDArray[np.int64]:
    """Return how many pixels are set in each of 4 × 4 blocks, (n, 16)."""
    count, side, width = bits.shape
    if width == 2 * 8:  # the published side: a block's row is a word
        rows = np.bitwise_count(bits.view(np.uint32))
    else:
        pixels = np.unpackbits(bits, axis=2)
        rows = pixels.reshape(count, side, BLOCKS, side // BLOCKS).sum(axis=3, dtype=np.uint16)
    grid = rows.reshape(count, BLOCKS, side // BLOCKS, BLOCKS).sum(axis=2, dtype=np.int64)
    return np.asarray(grid.reshape(count, BLOCKS**2))


def _weights() -> npt.NDArray[np.int64]:
    """Return (16, 32): a key of the blocks as each move leaves them; the smallest key chooses."""
    place = np.arange(BLOCKS**2).reshape(1, BLOCKS, BLOCKS)
    drawn = np.random.default_rng(0).integers(1, 1 << 40, BLOCKS**2)
    columns = []
    for transposed, (rows, columns_), (down, across) in MOVES:
        turned = place.transpose(0, 2, 1) if transposed else place
        turned = turned[:, ::-1] if rows else turned
        turned = turned[:, :, ::-1] if columns_ else turned
        turned = np.roll(turned, BLOCKS // 2, axis=1) if down else turned
        turned = np.roll(turned, BLOCKS // 2, axis=2) if across else turned
        weight = np.empty(BLOCKS**2, dtype=np.int64)
        weight[turned.ravel()] = drawn
        columns.append(weight)
    return np.stack(columns, axis=1)
