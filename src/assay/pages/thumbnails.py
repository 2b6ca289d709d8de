"""Thumbnails of the once-made images; made from pixels, so that no EXIF of an original travels."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl
from PIL import Image

from assay.manifest.kept import kept_images
from assay.manifest.views import by_image

if TYPE_CHECKING:
    from assay.manifest.storage import Storage

SIDE = 96  # px: several in a row of a page, and still a picture
QUALITY = 85


def thumbnails(
    root: Path, storage: Storage, manifest: pl.DataFrame, samples: Iterable[str]
) -> dict[str, str]:
    """Return sample → picture as a data URL, of those samples that have one.

    Args:
        root: the repository's root.
        storage: the manifest's.
        manifest: with `sample_id`, and `digest, stored` of each view; several are shown side by side.
        samples: which are to be shown.
    """
    chosen = pl.Series("sample_id", sorted(set(samples)), dtype=pl.String)
    rows = manifest.filter(pl.col("sample_id").is_in(chosen.implode()))
    images = by_image(rows).filter("stored")
    pixels, slots = kept_images(root, storage, images["digest"])
    shown: dict[str, list[Any]] = {}
    for sample, slot in zip(images["sample_id"], slots, strict=True):
        shown.setdefault(sample, []).append(pixels[slot])
    return {sample: encode(*views) for sample, views in shown.items()}


def encode(*views: npt.NDArray[np.uint8]) -> str:
    """Return images (h, w, 3), side by side, as a JPEG data URL, each at most 96 px wide."""
    image = Image.fromarray(np.concatenate(views, axis=1))
    image.thumbnail((SIDE * len(views), SIDE))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
