"""Photographs that stay where the source has them: opened when they are looked at, and only then."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from assay.errors import SourceError, UnreadableError
from assay.manifest.cache import chosen_cache
from assay.manifest.images import STRETCH, open_image
from assay.manifest.source import Source
from assay.runs.files import content_digest

if TYPE_CHECKING:
    from assay.manifest.images import Pixels
    from assay.manifest.source import Stamp
    from assay.manifest.storage import OriginalStorage


class Originals:
    """A backend of `LazyImages`: images that nobody copied.

    Args:
        source: whose they are.
        uris: of the photographs.
        digests: what each was when ingest read it.
        name: the data set, for the command that mends.
        size: side of the square that each becomes; None keeps its own size.
        decoder: of JPEG.
        fit: how an oblong becomes a square.
    """

    def __init__(
        self, source: Source, uris: Sequence[str], digests: Sequence[str], name: str,
        size: int | None = None, decoder: str = "pillow", fit: str = STRETCH,
    ) -> None:  # fmt: skip
        self._source, self._name = source, name
        self._uris, self._digests = uris, digests
        self._how, self._size = (decoder, fit), size
        self._cache = chosen_cache()

    def __reduce__(self) -> tuple[type[Originals], tuple[Any, ...]]:
        """Let another process open them, with a cache of its own."""
        known = (self._source, self._uris, self._digests, self._name, self._size, *self._how)
        return Originals, known

    @property
    def shape(self) -> tuple[int, ...]:
        """Return height, width and channels of an image."""
        assert self._size is not None
        return (self._size, self._size, 3)

    def take(self, indices: npt.NDArray[np.int64]) -> Pixels:
        """Return the images (n, size, size, 3) at these indices.

        Raises:
            UnreadableError: some are not what ingest read; it names their rows.
        """
        found, faults = [], {}
        for row, index in enumerate(indices):
            try:
                found.append(self.open(int(index)))
            except SourceError as fault:
                faults[row] = fault
        if faults:
            raise UnreadableError(list(faults), next(iter(faults.values())))
        return np.stack(found) if found else np.empty((0, *self.shape), dtype=np.uint8)

    def open(self, index: int) -> Pixels:
        """Return a photograph (h, w, 3), upright.

        A cache is asked after the file: what is gone, or has another size or time than when it was kept,
        is opened, and judged by its digest, as without.

        Raises:
            SourceError: it is not what ingest read.
        """
        uri = self._uris[index]
        stamp = self._source.stamp(uri)
        key = self._key(index, stamp)
        kept = self._cache.get(key)
        if kept is not None:
            return kept
        opened = open_image(self._source, uri, stamp, self._size, *self._how)
        if opened.pixels is None or opened.digest != self._digests[index]:
            raise SourceError(
                uri,
                opened.reason or "other bytes than when it was read",
                "the file that ingest read",
                f"dvc repro -f -s ingest@{self._name}, then the same command",
            )
        if stamp.version:  # else nothing would tell a change
            self._cache.put(key, opened.pixels)
        return opened.pixels

    def _key(self, index: int, stamp: Stamp) -> bytes:
        """Say what the file holds, and what is made of it."""
        told = [self._digests[index], stamp.bytes, stamp.version, self._size, *self._how]
        return content_digest(told, 32).encode()


def open_originals(
    root: Path, storage: OriginalStorage, uris: Sequence[str], digests: Sequence[str]
) -> Originals:
    """Return the originals of a manifest, each as the square that its storage says."""
    source = Source(storage.base, root)
    size, decoder, fit = storage.size, storage.decoder, storage.resize
    return Originals(source, uris, digests, storage.name, size, decoder, fit)
