"""Once-made images: every image of a set at one size, uint8, below `.assay/images`.

A cache in the strict sense: content-addressed, appended to, safe to delete (`dvc repro -f -s
ingest@<data>` makes it anew). It knows which files it has seen by (address, size, version), so that a
second ingest opens only what changed, and a killed one goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from assay.manifest.descriptors import NAMES, describe, of_files
from assay.manifest.table import write_table
from assay.runs.files import content_digest
from assay.runs.places import IMAGES

if TYPE_CHECKING:
    from assay.manifest.images import Opened
    from assay.manifest.source import Stamp

SCHEMA: dict[str, Any] = {
    "uri": pl.String, "bytes": pl.Int64, "version": pl.String,
    "digest": pl.String, "format": pl.String, "width": pl.Int64, "height": pl.Int64,
    "damage": pl.String, "turn": pl.Int64, "profile": pl.String, "notes": pl.String,
    "device": pl.String, "descriptors": pl.Struct(dict.fromkeys(NAMES, pl.Float64)), "slot": pl.Int64,
}  # fmt: skip
COLUMNS = len(SCHEMA)  # a store that knows less of its images is another one
NO_SLOT = -1  # a file that gave no pixels


def image_folder(
    name: str, base: str, size: int, decoder: str, fit: str, copy: str = "full"
) -> str:
    """Return where the images of a source lie, relative to the root: what makes them names them."""
    named = [COLUMNS, base, size, decoder, fit, *([copy] if copy != "full" else [])]
    return f"{IMAGES}/{name}-{content_digest(named, 8)}"


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
        self.table = self._known()
        self._slots = _count(self.table)

    def _known(self) -> pl.DataFrame:
        """Return the index; an empty one where it is absent or damaged, or pixels that it names are."""
        nothing = pl.DataFrame(schema=SCHEMA)
        try:
            # Those columns alone: stores made before had a hash too.
            table = pl.read_parquet(self._index, columns=list(SCHEMA))
        except (FileNotFoundError, pl.exceptions.PolarsError):
            return nothing
        if not self.keep:
            return table
        held = self._pixels.stat().st_size if self._pixels.exists() else -1
        return table if held >= _count(table) * int(np.prod(self._shape)) else nothing

    def add(self, files: Sequence[tuple[str, Stamp]], opened: Sequence[Opened]) -> None:
        """Append images, pixels first: a kill between the two leaves bytes that nobody points at."""
        images = [image.pixels for image in opened if image.pixels is not None]
        pixels = np.stack(images) if images else np.empty((0, *self._shape), dtype=np.uint8)
        if self.keep:
            self._append(pixels)
        new = self._rows(files, opened, describe(pixels))
        self._slots += len(images)
        self.table = pl.concat([self.table, new]).unique("uri", keep="last", maintain_order=True)
        write_table(self._index, self.table, {})

    def _append(self, pixels: npt.NDArray[np.uint8]) -> None:
        offset = self._slots * int(np.prod(self._shape))
        with self._pixels.open("r+b" if self._pixels.exists() else "w+b") as stream:
            stream.truncate(offset)  # what a killed run left behind
            stream.seek(offset)
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
        """Return the slot of each content in `pixels`, −1 where it is not here."""
        held = self.table.filter(pl.col("slot") != NO_SLOT).unique("digest", keep="first")
        asked = digests.to_frame("digest")
        found = asked.join(held, on="digest", how="left", maintain_order="left")
        return found["slot"].fill_null(NO_SLOT).to_numpy()

    def _rows(
        self, files: Sequence[tuple[str, Stamp]], opened: Sequence[Opened], seen: Mapping[str, Any]
    ) -> pl.DataFrame:
        readable = np.array([image.pixels is not None for image in opened], dtype=bool)
        slot = np.full(len(opened), NO_SLOT, dtype=np.int64)
        slot[readable] = self._slots + np.arange(readable.sum())
        described = of_files(
            [image.width for image in opened],
            [image.height for image in opened],
            [image.quantized for image in opened],
        )
        for name, values in seen.items():
            described[name] = np.full(len(opened), np.nan)
            described[name][readable] = values
        fields = pl.DataFrame(described).select(pl.col(name).fill_nan(None) for name in NAMES)
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
                "turn": [image.turn for image in opened],
                "profile": [image.profile or None for image in opened],
                "notes": [image.notes or None for image in opened],
                "device": [image.device or None for image in opened],
                "descriptors": fields.to_struct(),
                "slot": slot,
            },
            schema=SCHEMA,
        )


def _count(table: pl.DataFrame) -> int:
    """Return how many slots of pixels an index names."""
    return int(table["slot"].max()) + 1 if len(table) else 0  # type: ignore[arg-type]
