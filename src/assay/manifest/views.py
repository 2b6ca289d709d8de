"""Views: the several images that one row may show; of each the manifest has columns of its own.

A set with one view has the plain columns (`uri`, `digest`, …), one with several `<view>_<column>`.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from assay.manifest.storage import IMAGE, column

# How an image was read, and what it is like: in a manifest, and in no part of it.
READ = ("turn", "profile", "notes", "device", "descriptors")
OF_IMAGE = ("uri", "bytes", "digest", "format", "width", "height", *READ, "stored")


def views_of(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the views that the columns of a manifest tell of."""
    if "digest" in columns:
        return (IMAGE,)
    return tuple(name.removesuffix("_digest") for name in columns if name.endswith("_digest"))


def by_image(table: pl.DataFrame) -> pl.DataFrame:
    """Return one row an image of a row, its columns plainly named; of several views also `view`."""
    views = views_of(table.columns)
    if views == (IMAGE,):
        return table
    own = {view: {column(view, name): name for name in OF_IMAGE} for view in views}
    others = [name for names in own.values() for name in names]
    return pl.concat(
        table.rename(own[view], strict=False)
        .drop(others, strict=False)
        .with_columns(view=pl.lit(view))
        for view in views
    )
