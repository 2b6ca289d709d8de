"""Twins: the views of a training structure that a symmetry gives, as (row, map) pairs, made when read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from assay.systems.spectra.learning.orbits import distinct_views

if TYPE_CHECKING:
    from assay.systems.spectra.optics.symmetry import Map

Any8 = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
BLOCK = 256  # structures at a time


class Images(Protocol):
    """An array (n, h, w, 1) of 0 and 1, or what looks like one and reads what is indexed."""

    def __len__(self) -> int: ...
    def __getitem__(self, key: Any) -> Any8: ...
    @property
    def shape(self) -> tuple[int, ...]: ...


class SymmetricCopies:
    """Looks like an array (views, h, w, 1) of uint8; 16 bytes a view, the structures stay where they are.

    Args:
        images: structures (n, h, w, 1).
        spectra: of them, (n, 2, 2, bins).
        maps: a group of maps; views that are equal, structure and spectra, stand once.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, images: Images, spectra: Floats, maps: Sequence[Map]) -> None:
        self._images, self.maps = images, tuple(maps)
        starts = range(0, len(images), BLOCK)
        blocks = [slice(start, start + BLOCK) for start in starts]
        distinct = [distinct_views(maps, images[each][..., 0], spectra[each]) for each in blocks]
        self.rows, self.places = np.nonzero(np.concatenate(distinct))

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Return (views, h, w, 1)."""
        _, height, width, _ = self._images.shape
        return (len(self), height, width, 1)

    def __getitem__(self, key: Any) -> Any8:
        """Return the views of a number, slice, index array or mask; a number gives (h, w, 1)."""
        rows, places = np.atleast_1d(self.rows[key]), np.atleast_1d(self.places[key])
        found = self._images[rows][..., 0]
        for place in np.unique(places):
            mine = places == place
            found[mine] = self.maps[place].structures(found[mine])
        return found[..., None] if np.ndim(self.rows[key]) else found[0, ..., None]

    def spectra(self, spectra: Floats) -> Floats:
        """Return the spectra (views, 2, 2, bins) of the views, of those of the structures."""
        found = spectra[self.rows]
        for place, one in enumerate(self.maps):
            mine = self.places == place
            found[mine] = one.spectra(found[mine])
        return found

    def undone(self, spectra: Floats) -> Floats:
        """Return what a view's spectra (views, 2, 2, bins) say of its structure as it stands."""
        found = np.empty_like(spectra)
        for place, one in enumerate(self.maps):
            mine = self.places == place
            found[mine] = one.inverse.spectra(spectra[mine])
        return found
