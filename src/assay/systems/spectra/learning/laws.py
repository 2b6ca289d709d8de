"""The law gate: each map judged by physics, and what the maps take for granted judged on the data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from assay.contract.checks import Check
from assay.systems.spectra.optics.physics import spectra_of
from assay.systems.spectra.optics.symmetry import MAPS, SYMMETRIES, lawful

if TYPE_CHECKING:
    from assay.systems.spectra.optics.symmetry import Map, Name

Any8 = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Physics = Callable[[Any8], Floats]

EXACT = 1e-5  # of a map: float32 rounds at 1e-7, a wrong map is wrong by 0.01 and more
GREEN = 1e-4  # of G1 = G2, and of power below 0 or above 1


def law_faults(maps: Iterable[Map], structures: Any8, physics: Physics = spectra_of) -> list[Check]:
    """Return each map for which S(g x) is not g S(x), with the permutation that is.

    Args:
        maps: to be judged; a map is refuted by one structure.
        structures: (n, side, side) of 0 and 1. A structure that has a symmetry of its own cannot refute
            all that is wrong, so that each is also judged with a corner emptied.
        physics: structures → spectra (n, 2, 2, bins).
    """
    judged = np.concatenate([structures, _lopsided(structures)])
    plain, faults = physics(judged), []
    for one in maps:
        error = np.abs(physics(np.ascontiguousarray(one.structures(judged))) - one.spectra(plain))
        if error.max() > EXACT:
            share = float(error.max() / plain.max())
            right = lawful(one.transposed, one.flipped, one.rolled).cells
            faults.append(
                Check(
                    one.name,
                    False,
                    f"cells {right}",
                    f"cells {one.cells}: spectra differ by up to {error.max():.2g} ({share:.0%})",
                    len(judged),
                )
            )
    return faults


def premise_faults(symmetry: Name, structures: Any8, spectra: Floats) -> list[Check]:
    """Return what the data break: power ≥ 0, its sum ≤ 1; beyond `shift8` also x = xᵀ and G1 = G2.

    Args:
        symmetry: the set of maps that is asked for.
        structures: (n, side, side) of 0 and 1.
        spectra: (n, 2, 2, bins).
    """
    power = spectra.sum(axis=(1, 2)).max(axis=-1)
    checks = [
        ("power not negative", spectra.min(axis=(1, 2, 3)) < -GREEN, "spectra of 0 and above"),
        ("power at most 1", power > 1 + GREEN, "the four cells' sum at most 1 in each bin"),
    ]
    if set(SYMMETRIES[symmetry]) - set(SYMMETRIES["shift8"]):
        transposed = MAPS["transpose"].structures(structures)
        oblique = (transposed != structures).any(axis=(1, 2))
        green = np.abs(spectra[:, 0, 1] - spectra[:, 1, 0]).max(axis=-1) > GREEN
        expected = "symmetry shift8 at most, or four cells measured apart"
        checks += [("diagonal symmetry", oblique, expected), ("G1 = G2", green, expected)]
    return [
        Check(
            name, False, expected, f"{bad.sum()} of {len(bad)} rows break it", len(bad), _rows(bad)
        )
        for name, bad, expected in checks
        if bad.any()
    ]


def _lopsided(structures: Any8) -> Any8:
    """Return the structures with a corner emptied: half the columns of the last quarter of the rows."""
    half = structures.shape[-1] // 2
    emptied = structures.copy()
    emptied[:, half + half // 2 :, :half] = 0
    return emptied


def _rows(bad: npt.NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(int(row) for row in np.flatnonzero(bad))
