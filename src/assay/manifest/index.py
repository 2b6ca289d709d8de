"""Index: open every file of a listing once, give each row its digest, status and reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from rich.progress import track

from assay.manifest.images import Opened, open_image

OK, BROKEN, DROPPED, FILTERED = "ok", "broken", "dropped", "filtered"
DECODERS = 2  # Pillow frees the interpreter while it decodes


def index_images(
    listing: pl.DataFrame, root: Path, size: int
) -> tuple[pl.DataFrame, npt.NDArray[np.uint8]]:
    """Open the images of a listing.

    Args:
        listing: rows with `uri` (as fsspec takes it, or relative to `root`) and `fault`.
        root: the repository's root.
        size: side of the stored images in pixels.

    Returns:
        The listing with `digest, bytes, width, height, status, reason`, and the pixels of all rows,
        (n, size, size, 3) uint8, zero where a row is broken.
    """
    pixels = np.zeros((len(listing), size, size, 3), dtype=np.uint8)
    opened: list[Opened] = []
    uris = listing["uri"].to_list()
    for number, image in enumerate(track(_open_all(uris, root, size), "images", len(uris))):
        if image.pixels is not None:
            pixels[number] = image.pixels
        opened.append(image)
    found = pl.DataFrame(
        {
            "digest": [image.digest or None for image in opened],
            "bytes": [image.bytes for image in opened],
            "width": [image.width for image in opened],
            "height": [image.height for image in opened],
            "damage": [image.reason for image in opened],
        },
        schema_overrides={"digest": pl.String, "damage": pl.String},
    )
    return _judge(pl.concat([listing, found], how="horizontal")), pixels


def _open_all(uris: Sequence[str], root: Path, size: int) -> Iterator[Opened]:
    with ThreadPoolExecutor(DECODERS) as pool:
        yield from pool.map(lambda uri: open_image(uri, root, size), uris)


def _judge(table: pl.DataFrame) -> pl.DataFrame:
    """A fault of the row comes before a fault of its image."""
    reason = pl.coalesce(pl.col("fault"), pl.when(pl.col("damage") != "").then("damage"))
    return table.with_columns(
        status=pl.when(reason.is_null()).then(pl.lit(OK)).otherwise(pl.lit(BROKEN)),
        reason=reason.fill_null(""),
    ).drop("fault", "damage")
