"""Records: arrays whose rows hold a sample's targets, and its picture whole, packed, or as a place.

A record array of numpy. One of four says where the picture (h, w) of a row is:

- `struct` uint8 (h, w): here;
- `bits` uint8 (h, w/8): here, eight pixels a byte, the first in the highest bit;
- `part` uint16 and `row` int64: in the raw array of that number;
- `original` int64: the photograph itself, in the row of the table with that number.

Every other field is a label. Pictures are read when they are asked for, and only those.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Pictures = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]
Records = npt.NDArray[np.void]
PICTURE = ("struct", "bits", "part", "row", "original")


class Shelf(Protocol):
    """Where pictures of 0 and 1 lie."""

    @property
    def side(self) -> tuple[int, ...]:
        """Return height and width, and channels where there are several."""
        ...

    def take(self, places: Places) -> Pictures:
        """Return the pictures (n, *side) at these places."""
        ...


class Array:
    """Pictures that are the rows of an array (n, h, w, channels), often a memory map."""

    def __init__(self, pictures: Pictures) -> None:
        self.stored = np.asarray(pictures)  # a view: numpy indexes its own class faster than a map
        self.side: tuple[int, ...] = pictures.shape[1:]

    def take(self, places: Places) -> Pictures:
        """Return a copy of the pictures (n, h, w, channels) at these places."""
        return self.stored[places]


class Whole:
    """Pictures that stand in their records; any value but 0 is 1."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures
        self.side: tuple[int, int] = (pictures.shape[1], pictures.shape[2])

    def take(self, places: Places) -> Pictures:
        """Return the pictures (n, h, w) at these places."""
        return np.asarray(self._pictures[places] != 0).view(np.uint8)


class Packed:
    """Pictures that stand in their records, eight pixels a byte."""

    def __init__(self, bits: Pictures) -> None:
        self._bits = bits
        self.side: tuple[int, int] = (bits.shape[1], 8 * bits.shape[2])

    def take(self, places: Places) -> Pictures:
        """Return the pictures (n, h, w) at these places."""
        return np.unpackbits(self._bits[places], axis=2)


class Raw:
    """Pictures that stand where the source has them: one array (n, …, h, w) a part."""

    def __init__(self, parts: Sequence[Pictures], part: Places, row: Places) -> None:
        self._parts, self._part, self._row = parts, part, row
        self.side: tuple[int, int] = (parts[0].shape[-2], parts[0].shape[-1])

    def take(self, places: Places) -> Pictures:
        """Return the pictures (n, h, w) at these places."""
        found = np.empty((len(places), *self.side), dtype=np.uint8)
        part, row = np.asarray(self._part[places]), np.asarray(self._row[places])
        for number in np.unique(part):
            here = part == number
            pictures = self._parts[int(number)][row[here]]
            found[here] = pictures.reshape(-1, *self.side) != 0
        return found


class LazyImages:
    """Looks like an array (n, h, w, channels) of uint8; what is indexed is read, and nothing else.

    Args:
        shelf: where the pictures lie; kept as an attribute.
        places: (n,) the place of each row on the shelf.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, shelf: Shelf, places: Places) -> None:
        self.shelf, self._places = shelf, places

    @classmethod
    def over(cls, pictures: Pictures) -> LazyImages:
        """Return all rows of an array, which is not copied."""
        return cls(Array(pictures), np.arange(len(pictures)))

    def __len__(self) -> int:
        return len(self._places)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Return (n, h, w, channels)."""
        height, width, channels = (*self.shelf.side, 1)[:3]
        return (len(self), height, width, channels)

    def __getitem__(self, key: Any) -> Pictures:
        """Return the rows of a number, slice, index array or mask; a number gives (h, w, channels)."""
        if isinstance(key, tuple):
            first, *others = key
            return np.asarray(self[first][(slice(None), *others)])
        places = np.asarray(self._places[key])
        found = self.shelf.take(np.atleast_1d(places)).reshape(-1, *self.shape[1:])
        return found if places.ndim else np.asarray(found[0])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Refuse: what numpy asks for unasked would be every picture of the part, in memory."""
        raise TypeError(f"{len(self)} images that are read row by row: index the rows, or say [:]")

    def where(self, chosen: npt.NDArray[Any]) -> LazyImages:
        """Return the chosen rows (mask or numbers), as lazily."""
        return LazyImages(self.shelf, self._places[chosen])


def labels_of(records: Records) -> dict[str, npt.NDArray[np.generic]]:
    """Return every field that is no part of the picture, as views."""
    names = records.dtype.names or ()
    return {name: records[name] for name in names if name not in PICTURE}


def shelf_of(records: Records, raw: Sequence[Pictures] = ()) -> Shelf:
    """Return where the pictures of records lie; `raw` are the arrays of the parts, if they are needed."""
    names = records.dtype.names or ()
    if "struct" in names:
        return Whole(records["struct"])
    if "bits" in names:
        return Packed(records["bits"])
    return Raw(raw, records["part"], records["row"])
