"""Ingest in one line, for tests that look at what it makes of a source."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from assay.contract import Listing
from assay.manifest.groups import join_groups, spelling
from assay.manifest.index import index_images
from assay.manifest.listing import settle
from assay.manifest.source import Source
from assay.manifest.store import ImageStore

SIZE = 16


def indexed(source: Source, listing: Listing, root: Path) -> tuple[pl.DataFrame, ImageStore]:
    """Return the manifest of a listing, and the store of its images."""
    store = ImageStore(root / "images", SIZE)
    rows = settle(listing.table).sort("sample_id")
    table = index_images(rows, source, store, SIZE, "pillow")
    return table.with_columns(join_groups(spelling(table["group"]), table["digest"])), store
