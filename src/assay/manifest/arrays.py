"""Once-made records of a streamed set, below `.assay/arrays`, as they are read; `arrays_made` makes them.

A cache in the strict sense: safe to delete (`dvc repro -f -s ingest@<data>` makes it anew). It is written
aside and renamed, so a killed ingest leaves nothing that is taken for whole. `seen.json` beside it
holds size and time of the source's files; they are no facts of the manifest, which holds no clock.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from assay.errors import AssayError
from assay.manifest.records import LazyImages, labels_of, record_backend
from assay.manifest.source import Source
from assay.manifest.table import read_table
from assay.runs.files import read_json

if TYPE_CHECKING:
    from assay.manifest.records import ImageBackend, Images, Indices, Records
    from assay.manifest.source import Stamp
    from assay.manifest.storage import RecordStorage

INDEX, RECORDS, SEEN = "index.parquet", "records.raw", "seen.json"
BLOCK = 1 << 22  # bytes of records at a time


def write_records(path: Path, root: Path, storage: RecordStorage, slots: Indices) -> None:
    """Write the records at rising `slots` as one `.npy`, block by block.

    Raises:
        AssayError: this machine does not have the records that the manifest speaks of.
    """
    folder, fields = _kept(root, storage), storage.dtype
    if (np.diff(slots) <= 0).any():
        raise ValueError("slots that do not rise")
    step = max(1, BLOCK // fields.itemsize)
    head = {
        "descr": np.lib.format.dtype_to_descr(fields),
        "fortran_order": False,
        "shape": (len(slots),),
    }
    with path.open("wb") as out, (folder / RECORDS).open("rb") as records:
        np.lib.format.write_array_header_1_0(out, head)
        for start in range(0, int(slots[-1]) + 1 if len(slots) else 0, step):
            first, last = np.searchsorted(slots, [start, start + step])
            block = np.fromfile(records, fields, step)
            out.write(block[slots[first:last] - start].tobytes())


def open_raw(root: Path, storage: RecordStorage) -> list[Images]:
    """Return a memory map of each raw part's images, where records only point at them, else nothing.

    Raises:
        AssayError: a part is not what ingest read on this machine.
    """
    if not storage.raw:
        return []
    seen_at, source = root / storage.folder / SEEN, _base(root, storage)
    seen = read_json(seen_at) if seen_at.exists() else {}
    for part in storage.raw:
        found = source.stamp(source.uri(part))
        if seen.get(part) != stamp_text(found):
            was = (
                "another size or time than"
                if part in seen
                else "not here"
                if found.bytes < 0
                else "not"
            )
            raise AssayError(
                source.uri(part), f"{was} what ingest read on this machine",
                "the part that `row` counts in, since ingest.copy is none",
                f"{storage.mend} (or -S {storage.name}.ingest.copy=packed)",
            )  # fmt: skip
    paths = [source.path(part) for part in storage.raw]
    return [np.load(path, mmap_mode="r") for path in paths if path is not None]


def open_records(root: Path, storage: RecordStorage, records: Records) -> ImageBackend:
    """Return where the images of these records lie; raw parts are opened where they are needed."""
    return record_backend(records, open_raw(root, storage))


class RgbImages:
    """The records' images as people look at them: (slots, h, w, 3), 0 and 255."""

    def __init__(self, images: LazyImages) -> None:
        self._images = images

    def __getitem__(self, slot: int) -> npt.NDArray[np.uint8]:
        """Return one image (h, w, 3)."""
        return np.repeat(self._images[slot] * np.uint8(255), 3, axis=-1)


def record_images(root: Path, storage: RecordStorage, digests: pl.Series) -> tuple[Any, Indices]:
    """Find images by content among the records: `RgbImages`, and the slot of each digest there."""
    folder = _kept(root, storage)
    index = pl.read_parquet(folder / INDEX, columns=["digest", "slot"]).filter(pl.col("slot") >= 0)
    held = index.unique("digest", keep="first")
    slots = digests.to_frame("digest").join(held, on="digest", how="left", maintain_order="left")
    records = (
        np.memmap(folder / RECORDS, storage.dtype, "r")
        if len(index)
        else np.empty(0, storage.dtype)
    )
    images = LazyImages(open_records(root, storage, records), np.arange(len(records)))
    return RgbImages(images), slots["slot"].to_numpy()


def record_labels(
    root: Path, storage: RecordStorage, slots: Indices
) -> dict[str, npt.NDArray[np.generic]]:
    """Return the labels of the records at these slots, by name."""
    records = np.memmap(_kept(root, storage) / RECORDS, storage.dtype, "r")
    return {name: each[slots] for name, each in labels_of(records).items()}


def _kept(root: Path, storage: RecordStorage) -> Path:
    folder = root / storage.folder
    here = read_table(folder / INDEX, "")[1]["records"] if (folder / SEEN).exists() else "none"
    if here != storage.records:
        raise AssayError(
            storage.folder,
            f"records {here[:8]} are on this machine",
            f"those that ingest made, {storage.records[:8]}",
            storage.mend,
        )
    return folder


def _base(root: Path, storage: RecordStorage) -> Source:
    try:
        return Source(storage.base, root)
    except AssayError as fault:
        raise AssayError(fault.where, fault.found, fault.expected, storage.mend) from None


def stamp_text(stamp: Stamp) -> str:
    """Return size and version of a file, as `seen.json` has them."""
    return f"{stamp.bytes} {stamp.version}"
