"""Records: arrays whose rows hold a sample's targets, and its image in bytes, in bits, or where it lies.

A record array of numpy. One of four says where the image (h, w) of a row is:

- `struct` uint8 (h, w): here;
- `bits` uint8 (h, w/8): here, eight pixels a byte, the first in the highest bit;
- `part` uint16 and `row` int64: in the raw array of that number;
- `original` int64: the photograph itself, in the row of the table with that number.

Every other field is a label. Images are read when they are asked for, and only those.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from assay.errors import UnreadableError

Images = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]
Records = npt.NDArray[np.void]
IMAGE_FIELDS = ("struct", "bits", "part", "row", "original")


class ImageBackend(Protocol):
    """What images are read from."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Return height and width, and channels where there are several; before these the views."""
        ...

    def take(self, indices: Indices) -> Images:
        """Return the images (n, *shape) at these indices."""
        ...


class ArrayBackend:
    """Images that are the rows of an array (n, h, w, channels), often a memory map."""

    def __init__(self, images: Images) -> None:
        self.array = np.asarray(images)  # a view: numpy indexes its own class faster than a map
        self.shape: tuple[int, ...] = images.shape[1:]

    def take(self, indices: Indices) -> Images:
        """Return a copy of the images (n, h, w, channels) at these indices."""
        return self.array[indices]


class ByteRecords:
    """Images that stand in their records; any value but 0 is 1."""

    def __init__(self, images: Images) -> None:
        self._images = images
        self.shape: tuple[int, int] = (images.shape[1], images.shape[2])

    def take(self, indices: Indices) -> Images:
        """Return the images (n, h, w) at these indices."""
        return np.asarray(self._images[indices] != 0).view(np.uint8)


class BitRecords:
    """Images that stand in their records, eight pixels a byte."""

    def __init__(self, bits: Images) -> None:
        self._bits = bits
        self.shape: tuple[int, int] = (bits.shape[1], 8 * bits.shape[2])

    def take(self, indices: Indices) -> Images:
        """Return the images (n, h, w) at these indices."""
        return np.unpackbits(self._bits[indices], axis=2)


class RawArrays:
    """Images that stand where the source has them: one array (n, …, h, w) a part."""

    def __init__(self, parts: Sequence[Images], part: Indices, row: Indices) -> None:
        self._parts, self._part, self._row = parts, part, row
        self.shape: tuple[int, int] = (parts[0].shape[-2], parts[0].shape[-1])

    def take(self, indices: Indices) -> Images:
        """Return the images (n, h, w) at these indices."""
        found = np.empty((len(indices), *self.shape), dtype=np.uint8)
        part, row = np.asarray(self._part[indices]), np.asarray(self._row[indices])
        for number in np.unique(part):
            here = part == number
            images = self._parts[int(number)][row[here]]
            found[here] = images.reshape(-1, *self.shape) != 0
        return found


class LazyImages:
    """Looks like an array (n, h, w, channels) of uint8; what is indexed is read, and nothing else.

    Of `StackedViews` it is (n, views, h, w, channels).

    Args:
        backend: what the images are read from; kept as an attribute.
        indices: (n,) the index of each row in the backend.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, backend: ImageBackend, indices: Indices) -> None:
        self.backend, self._indices = backend, indices

    @classmethod
    def of(cls, images: Any) -> LazyImages:
        """Return all rows of an array, which is not copied; what is lazy already is as it was."""
        if isinstance(images, cls):
            return images
        return cls(ArrayBackend(images), np.arange(len(images)))

    def __len__(self) -> int:
        return len(self._indices)

    @property
    def shape(self) -> tuple[int, ...]:
        """Return (n, h, w, channels), with the backend's dimensions before these where it has more."""
        own = self.backend.shape
        return (len(self), *own, *(() if len(own) > 2 else (1,)))

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __getitem__(self, key: Any) -> Images:
        """Return the rows of a number, slice, index array or mask; a number gives one of them."""
        if isinstance(key, tuple):
            first, *others = key
            return np.asarray(self[first][(slice(None), *others)])
        indices = np.asarray(self._indices[key])
        found = self.backend.take(np.atleast_1d(indices)).reshape(-1, *self.shape[1:])
        return found if indices.ndim else np.asarray(found[0])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Refuse: what numpy asks for unasked would be every image of the part, in memory."""
        raise TypeError(f"{len(self)} images that are read row by row: index the rows, or say [:]")

    def where(self, chosen: npt.NDArray[Any]) -> LazyImages:
        """Return the chosen rows (mask or numbers), as lazily."""
        return LazyImages(self.backend, self._indices[chosen])


class StackedViews:
    """The images of several views, beside each other."""

    def __init__(self, views: Sequence[LazyImages]) -> None:
        self._views = views
        self.shape: tuple[int, ...] = (len(views), *views[0].shape[1:])

    def take(self, indices: Indices) -> Images:
        """Return the images (n, views, h, w, channels) at these indices.

        Raises:
            UnreadableError: some cannot be read, in any view; it names their rows.
        """
        found, faults = [], []
        for view in self._views:
            try:
                found.append(view[indices])
            except UnreadableError as fault:
                faults.append(fault)
        if faults:
            raise UnreadableError(sorted({row for each in faults for row in each.rows}), faults[0])
        return np.stack(found, axis=1)


def labels_of(records: Records) -> dict[str, npt.NDArray[np.generic]]:
    """Return every field that is no part of the image, as views."""
    names = records.dtype.names or ()
    return {name: records[name] for name in names if name not in IMAGE_FIELDS}


def record_backend(records: Records, raw: Sequence[Images] = ()) -> ImageBackend:
    """Return where the images of records lie; `raw` are the arrays of the parts, if they are needed."""
    names = records.dtype.names or ()
    if "struct" in names:
        return ByteRecords(records["struct"])
    if "bits" in names:
        return BitRecords(records["bits"])
    return RawArrays(raw, records["part"], records["row"])
