"""Once-made records of a streamed set, below `.assay/arrays`, as they are read; `arrays_made` makes them.

A cache in the strict sense: safe to delete (`dvc repro -f -s ingest@<data>` makes it anew). It is written
aside and renamed, so a killed ingest leaves nothing that is taken for whole. `seen.json` beside it
holds size and time of the source's files; they are no facts of the manifest, which holds no clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from assay.errors import AssayError
from assay.manifest.records import LazyImages, shelf_of
from assay.manifest.source import Source
from assay.manifest.table import read_table
from assay.runs.files import read_json

if TYPE_CHECKING:
    from assay.manifest.records import Pictures, Places, Records, Shelf
    from assay.manifest.source import Stamp

INDEX, RECORDS, SEEN = "index.parquet", "records.raw", "seen.json"
BLOCK = 1 << 22  # bytes of records at a time


def write_records(
    path: Path, root: Path, facts: Mapping[str, Any], slots: Places, name: str
) -> None:
    """Write the records at rising `slots` as one `.npy`, block by block.

    Raises:
        AssayError: this machine does not have the records that the manifest speaks of.
    """
    folder, fields = _kept(root, facts, name), fields_of(facts)
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


def fields_of(facts: Mapping[str, Any]) -> np.dtype[np.void]:
    """Return the type of a record, from the facts of a manifest."""
    return np.dtype([(name, kind, tuple(shape)) for name, kind, shape in facts["fields"]])


def open_raw(root: Path, facts: Mapping[str, Any], name: str) -> list[Pictures]:
    """Return a memory map of each raw part's pictures, where records only point at them, else nothing.

    Raises:
        AssayError: a part is not what ingest read on this machine.
    """
    if not facts.get("raw"):
        return []
    seen_at, source = root / facts["images"] / SEEN, _base(root, facts, name)
    seen = read_json(seen_at) if seen_at.exists() else {}
    for part in facts["raw"]:
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
                f"dvc repro -f -s ingest@{name}, then the same command (or -S {name}.ingest.copy=packed)",
            )  # fmt: skip
    paths = [source.path(part) for part in facts["raw"]]
    return [np.load(path, mmap_mode="r") for path in paths if path is not None]


def shelf(root: Path, facts: Mapping[str, Any], records: Records, name: str) -> Shelf:
    """Return where the pictures of these records lie; raw parts are opened where they are needed."""
    return shelf_of(records, open_raw(root, facts, name))


class Shown:
    """The records' pictures as people look at them: (slots, h, w, 3), 0 and 255."""

    def __init__(self, images: LazyImages) -> None:
        self._images = images

    def __getitem__(self, slot: int) -> npt.NDArray[np.uint8]:
        """Return one picture (h, w, 3)."""
        return np.repeat(self._images[slot] * np.uint8(255), 3, axis=-1)


def kept_pictures(
    root: Path, facts: Mapping[str, Any], digests: pl.Series, name: str
) -> tuple[Shown, Places]:
    """Find pictures by content among the records, as `store.kept_images` does among images."""
    folder = _kept(root, facts, name)
    index = pl.read_parquet(folder / INDEX, columns=["digest", "slot"]).filter(pl.col("slot") >= 0)
    held = index.unique("digest", keep="first")
    slots = digests.to_frame("digest").join(held, on="digest", how="left", maintain_order="left")
    records = np.memmap(folder / RECORDS, fields_of(facts), "r") if len(index) else _empty(facts)
    images = LazyImages(shelf(root, facts, records, name), np.arange(len(records)))
    return Shown(images), slots["slot"].to_numpy()


def _kept(root: Path, facts: Mapping[str, Any], name: str) -> Path:
    folder = root / str(facts["images"])
    here = read_table(folder / INDEX, "")[1]["records"] if (folder / SEEN).exists() else "none"
    if here != facts["records"]:
        raise AssayError(
            str(facts["images"]),
            f"records {here[:8]} are on this machine",
            f"those that ingest made, {facts['records'][:8]}",
            f"dvc repro -f -s ingest@{name}, then the same command",
        )
    return folder


def _base(root: Path, facts: Mapping[str, Any], name: str) -> Source:
    try:
        return Source(facts["base"], root)
    except AssayError as fault:
        mend = f"dvc repro -f -s ingest@{name}, then the same command"
        raise AssayError(fault.where, fault.found, fault.expected, mend) from None


def _empty(facts: Mapping[str, Any]) -> Records:
    return np.empty(0, fields_of(facts))


def stamp_text(stamp: Stamp) -> str:
    """Return size and version of a file, as `seen.json` has them."""
    return f"{stamp.bytes} {stamp.version}"
