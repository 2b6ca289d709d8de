"""Finding stored images by their content, however they are stored."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from assay.errors import AssayError
from assay.manifest.arrays import record_images, record_labels
from assay.manifest.originals import open_originals
from assay.manifest.records import LazyImages
from assay.manifest.storage import OriginalStorage, RecordStorage
from assay.manifest.store import NO_SLOT, ImageStore

if TYPE_CHECKING:
    from assay.manifest.storage import Storage


def kept_images(
    root: Path, storage: Storage, digests: pl.Series
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Find images by content among those that ingest made once.

    Args:
        root: the repository's root.
        storage: the manifest's.
        digests: of the images that are wanted.

    Returns:
        Images (slots, size, size, 3), a memory map, or lazy where none are copied, and the slot of
        each digest among them.

    Raises:
        AssayError: this machine does not have them, as in a fresh clone with DVC's cache alone.
    """
    if isinstance(storage, RecordStorage):
        return record_images(root, storage, digests)
    copied = not isinstance(storage, OriginalStorage)
    store = ImageStore(root / storage.folder, storage.size, keep=copied)
    slots = store.slots(digests)
    absent = int((slots == NO_SLOT).sum())
    if absent:
        raise AssayError(
            storage.folder,
            f"{absent} of {len(slots)} images are not on this machine",
            "the images that ingest made",
            storage.mend,
        )
    if not isinstance(storage, OriginalStorage):
        return store.pixels(), slots
    known = store.by_slot()
    backend = open_originals(root, storage, known["uri"].to_list(), known["digest"].to_list())
    return cast("Any", LazyImages(backend, np.arange(len(known)))), slots


class KeptFiles:
    """What ingest keeps beside a manifest, as checks of labels against pictures ask for it."""

    def __init__(self, root: Path, storage: Storage) -> None:
        self._root, self._storage = root, storage

    def images(self, digests: pl.Series) -> npt.NDArray[np.uint8]:
        """Return the stored images (n, size, size, 3) of digests."""
        pixels, slots = kept_images(self._root, self._storage, digests)
        found: npt.NDArray[np.uint8] = pixels[slots]
        return found

    def labels(self, table: pl.DataFrame) -> Mapping[str, npt.NDArray[Any]]:
        """Return the labels that stand in records, of rows of the manifest; empty where none do."""
        if not isinstance(self._storage, RecordStorage):
            return {}
        return record_labels(self._root, self._storage, table["slot"].to_numpy())
