"""Which views of a row are distinct: a structure with symmetries of its own has fewer than 32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from assay.systems.spectra.optics.symmetry import Map

Any8 = npt.NDArray[np.uint8]
_BLOCK = 256  # structures at a time


def distinct_views(
    maps: Sequence[Map], structures: Any8, spectra: npt.NDArray[np.float32]
) -> npt.NDArray[np.bool_]:
    """Tell for each row and map (n, maps) whether no earlier map gives the same structure and label.

    Args:
        maps: a group of maps, as each set of `SYMMETRIES` is.
        structures: (n, side, side) of 0 and 1.
        spectra: (n, 2, 2, bins), compared bit by bit.
    """
    still = np.stack([_unmoved(one, structures, spectra) for one in maps], axis=1)
    new = np.ones((len(structures), len(maps)), bool)
    place = {one: k for k, one in enumerate(maps)}
    for k, one in enumerate(maps):
        for j in range(k):  # g = h·s with s that leaves the row as it is: g gives what h gives
            between = place.get(maps[j].inverse.after(one))
            if between is not None:  # else it is no group; the law gate says which map is wrong
                new[:, k] &= ~still[:, between]
    return new


def _unmoved(one: Map, structures: Any8, spectra: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    unmoved = np.empty(len(structures), bool)
    for start in range(0, len(structures), _BLOCK):
        rows = slice(start, start + _BLOCK)
        same = (one.structures(structures[rows]) == structures[rows]).all(axis=(1, 2))
        label = (one.spectra(spectra[rows]) == spectra[rows]).all(axis=(1, 2, 3))
        unmoved[rows] = same & label
    return unmoved
