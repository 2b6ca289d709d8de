"""Ingest in one line, for tests that look at what it makes of a source."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import polars as pl

from assay.contract.listing import ONE_VIEW, Listing
from assay.contract.system import System
from assay.contract.system_capabilities import SupportsStreaming
from assay.manifest.arrays import write_records
from assay.manifest.arrays_made import made_records
from assay.manifest.groups import join_groups, spelling
from assay.manifest.index import OK, index_images
from assay.manifest.listing import deduplicate
from assay.manifest.parts import read_rows
from assay.manifest.rows import Rows
from assay.manifest.source import Source
from assay.manifest.storage import RecordStorage, column, read_storage
from assay.manifest.store import ImageStore

SIZE = 16


def indexed(
    source: Source, listing: Listing, root: Path, views: Mapping[str, str] = ONE_VIEW
) -> tuple[pl.DataFrame, ImageStore]:
    """Return the manifest of a listing, and the store of its images."""
    store, names = ImageStore(root / "images", SIZE), tuple(views)
    named = listing.table.rename({uri: column(view, "uri") for view, uri in views.items()})
    rows = deduplicate(named, names).sort("sample_id")
    table = index_images(rows, source, store, SIZE, "pillow", views=names)
    digests = [table[column(view, "digest")] for view in names]
    return table.with_columns(join_groups(spelling(table["group"]), *digests)), store


def taken_in(
    system: System, source: Source, listing: Listing, params: Any, root: Path
) -> tuple[pl.DataFrame, Any]:
    """Return the manifest of any system, and its stored images; of a streamed one, lazily."""
    if not isinstance(system, SupportsStreaming):
        table, store = indexed(source, listing, root, system.views)
        return table, store.pixels()
    table, rows = streamed(system, source, listing, params, root)
    return table, rows.image


def streamed(
    system: Any, source: Source, listing: Listing, params: Any, root: Path
) -> tuple[pl.DataFrame, Rows]:
    """Return the manifest of a streamed system, and its usable rows as training gets them."""
    how, name = params.ingest, "streamed"
    found = made_records(
        root / "arrays",
        source,
        listing.files(system.views),
        lambda write: system.stream(source, how, write),
    )
    place = {"images": "arrays", "size": how.size, "fit": system.fit, "base": source.base}
    storage = cast("RecordStorage", read_storage({**found.facts, **place}, name))
    table = found.table.with_columns(group_id="group")
    kept = table.filter(pl.col("status") == OK)
    write_records(root / "records.npy", root, storage, kept["slot"].to_numpy())
    return table, read_rows(root / "records.npy", kept, storage, root)
