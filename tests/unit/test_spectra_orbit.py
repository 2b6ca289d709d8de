"""The digest of a structure modulo its 32 moves."""

from __future__ import annotations

import numpy as np
import pytest

from assay.systems.spectra.data.orbit import (
    MOVES,
    digests,
    is_diagonal,
    move_structures,
    orbit_digests,
)
from assay.systems.spectra.optics.structures import random_structures
from assay.systems.spectra.optics.symmetry import MAPS


def orbits(structures: np.ndarray) -> list[bytes]:
    return orbit_digests(np.packbits(structures, axis=2), is_diagonal(structures))


def samples(side: int) -> np.ndarray:
    """Return structures of many stabilisers: generic, diagonal, striped, chequered, empty, one pixel."""
    random = np.random.default_rng(0)
    found = [
        *random_structures(6, random, size=side),
        *random_structures(6, random, size=side, diagonal=False),
    ]
    stripes = np.zeros((side, side), dtype=np.uint8)
    stripes[:, ::2] = 1
    one = np.zeros_like(stripes)
    one[3, 5] = 1
    half = np.zeros_like(stripes)
    half[: side // 2] = 1
    mirrored = random.integers(0, 2, (side, side), dtype=np.uint8)
    mirrored[:, side // 2 :] = mirrored[:, : side // 2][:, ::-1]
    return np.stack([*found, stripes, one, half, mirrored, np.zeros_like(one), stripes ^ stripes.T])


@pytest.mark.parametrize("side", [8, 16, 24, 32, 128])
def test_all_moves_of_a_structure_have_one_digest_and_others_have_another(side: int) -> None:
    structures = samples(side) if side > 8 else samples(16)[:, :8, :8]
    structures = np.unique(structures, axis=0)
    own = orbits(structures)
    for one in MAPS.values():
        assert orbits(np.ascontiguousarray(one.structures(structures))) == own
    for a, first in enumerate(
        structures
    ):  # equal digests only where a move leads from one to the other
        orbit = {one.structures(first).tobytes() for one in MAPS.values()}
        same = {b for b, digest in enumerate(own) if digest == own[a]}
        assert same == {b for b, other in enumerate(structures) if other.tobytes() in orbit}


def test_the_packed_moves_are_the_maps_of_the_laws() -> None:
    structures = samples(32)
    bits = np.packbits(structures, axis=2)
    assert len(MOVES) == len(MAPS) == 32
    for transposed, flipped, rolled in MOVES:
        (one,) = [
            each for each in MAPS.values()
            if (each.transposed, each.flipped, each.rolled) == (transposed, flipped, rolled)
        ]  # fmt: skip
        found = np.unpackbits(move_structures(bits, (transposed, flipped, rolled)), axis=2)
        assert np.array_equal(found, one.structures(structures))


def test_one_pixel_tells_two_structures_apart() -> None:
    structures = samples(128)[:6]
    changed = structures.copy()
    changed[:, 7, 90] ^= 1
    bits = [np.packbits(each, axis=2) for each in (structures, changed)]
    assert not set(digests(bits[0])) & set(digests(bits[1]))
    assert not set(orbits(structures)) & set(orbits(changed))


def test_diagonal_means_equal_to_the_transpose() -> None:
    structures = samples(32)
    assert is_diagonal(structures).tolist() == [np.array_equal(x, x.T) for x in structures]
