"""Once-made images: every image of a set at one size, uint8, below `.assay/images`.

A cache in the strict sense: content-addressed, appended to, safe to delete (`dvc repro -f -s
ingest@<data>` makes it anew). It knows which files it has seen by (address, size, version), so that a
second ingest opens only what changed, and a killed one goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from assay.errors import AssayError
from assay.manifest.arrays import record_images
from assay.manifest.originals import squares
from assay.manifest.records import LazyImages
from assay.manifest.storage import OriginalStorage, RecordStorage
from assay.manifest.table import write_table
from assay.runs.files import content_digest

if TYPE_CHECKING:
    from assay.manifest.images import Opened
    from assay.manifest.source import Stamp
    from assay.manifest.storage import Storage

SCHEMA = {
    "uri": pl.String, "bytes": pl.Int64, "version": pl.String,
    "digest": pl.String, "format": pl.String, "width": pl.Int64, "height": pl.Int64,
    "damage": pl.String, "slot": pl.Int64,
}  # fmt: skip
NO_SLOT = -1  # a file that gave no pixels


def store_place(name: str, base: str, size: int, decoder: str, fit: str, copy: str = "full") -> str:
    """Return where the images of a source lie, relative to the root: what makes them names them."""
    named = [base, size, decoder, fit, *([copy] if copy != "full" else [])]
    return f".assay/images/{name}-{content_digest(named, 8)}"


def kept_images(
    root: Path, storage: Storage, digests: pl.Series
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Find images by content among those that ingest made once.

    Args:
        root: the repository's root.
        storage: the manifest's.
        digests: of the images that are wanted.

    Returns:
        Images (slots, size, size, 3), a memory map, or lazy where none are copied, and the place of
        each digest among them.

    Raises:
        AssayError: this machine does not have them, as in a fresh clone with DVC's cache alone.
    """
    if isinstance(storage, RecordStorage):
        return record_images(root, storage, digests)
    copied = not isinstance(storage, OriginalStorage)
    store = ImageStore(root / storage.images, storage.size, keep=copied)
    slots = store.slots(digests)
    absent = int((slots == NO_SLOT).sum())
    if absent:
        raise AssayError(
            storage.images,
            f"{absent} of {len(slots)} images are not on this machine",
            "the images that ingest made",
            storage.mend,
        )
    if not isinstance(storage, OriginalStorage):
        return store.pixels(), slots
    known = store.by_slot()
    shelf = squares(root, storage, known["uri"].to_list(), known["digest"].to_list())
    return cast("Any", LazyImages(shelf, np.arange(len(known)))), slots


class ImageStore:
    """The images of one set at one size.

    Args:
        folder: where it lies, or is to lie.
        size: side of an image in pixels.
        keep: its pixels; else only what is known of it.
    """

    def __init__(self, folder: Path, size: int, keep: bool = True) -> None:
        self.keep = keep
        self.folder, self._shape = folder, (size, size, 3)
        self._index, self._pixels = folder / "index.parquet", folder / "pixels.u8"
        folder.mkdir(parents=True, exist_ok=True)
        known = self._index.exists() and (not keep or self._pixels.exists())
        # Those columns alone: stores made before had a hash too.
        self.table = (
            pl.read_parquet(self._index, columns=list(SCHEMA))
            if known
            else pl.DataFrame(schema=SCHEMA)
        )
        self._slots = int(self.table["slot"].max() or 0) + 1 if len(self.table) else 0  # type: ignore[arg-type]

    def add(self, files: Sequence[tuple[str, Stamp]], opened: Sequence[Opened]) -> None:
        """Append images, pixels first: a kill between the two leaves bytes that nobody points at."""
        images = [image.pixels for image in opened if image.pixels is not None]
        pixels = np.stack(images) if images else np.empty((0, *self._shape), dtype=np.uint8)
        if self.keep:
            self._append(pixels)
        new = self._rows(files, opened)
        self._slots += len(images)
        self.table = pl.concat([self.table, new]).unique("uri", keep="last", maintain_order=True)
        write_table(self._index, self.table, {})

    def _append(self, pixels: npt.NDArray[np.uint8]) -> None:
        place = self._slots * int(np.prod(self._shape))
        with self._pixels.open("r+b" if self._pixels.exists() else "w+b") as stream:
            stream.truncate(place)  # what a killed run left behind
            stream.seek(place)
            stream.write(pixels.tobytes())

    def by_slot(self) -> pl.DataFrame:
        """Return `uri` and `digest` of every slot; nobody asks for one whose file has changed since."""
        slots = pl.DataFrame({"slot": np.arange(self._slots)})
        return slots.join(self.table, on="slot", how="left", maintain_order="left")

    def pixels(self) -> npt.NDArray[np.uint8]:
        """Return a memory map (slots, size, size, 3); see `slots`."""
        if self._slots == 0:  # numpy cannot map an empty file
            return np.empty((0, *self._shape), dtype=np.uint8)
        return np.memmap(self._pixels, np.uint8, "r", shape=(self._slots, *self._shape))

    def slots(self, digests: pl.Series) -> npt.NDArray[np.int64]:
        """Return the place of each content in `pixels`, −1 where it is not here."""
        held = self.table.filter(pl.col("slot") != NO_SLOT).unique("digest", keep="first")
        asked = digests.to_frame("digest")
        found = asked.join(held, on="digest", how="left", maintain_order="left")
        return found["slot"].fill_null(NO_SLOT).to_numpy()

    def _rows(self, files: Sequence[tuple[str, Stamp]], opened: Sequence[Opened]) -> pl.DataFrame:
        readable = np.array([image.pixels is not None for image in opened], dtype=bool)
        slot = np.full(len(opened), NO_SLOT, dtype=np.int64)
        slot[readable] = self._slots + np.arange(readable.sum())
        return pl.DataFrame(
            {
                "uri": [uri for uri, _ in files],
                "bytes": [stamp.bytes for _, stamp in files],
                "version": [stamp.version for _, stamp in files],
                "digest": [image.digest or None for image in opened],
                "format": [image.format or None for image in opened],
                "width": [image.width for image in opened],
                "height": [image.height for image in opened],
                "damage": [image.reason or None for image in opened],
                "slot": slot,
            },
            schema=SCHEMA,
        )
