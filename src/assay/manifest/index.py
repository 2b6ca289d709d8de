"""Index: give each listed file its digest, status and reason; only what changed is opened."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import polars as pl
from rich.progress import Progress

from assay.manifest.images import STRETCH, open_image
from assay.manifest.source import Stamp
from assay.manifest.storage import IMAGE, column
from assay.manifest.store import NO_SLOT
from assay.manifest.views import OF_IMAGE
from assay.runs.cores import available_cores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.manifest.source import Source
    from assay.manifest.store import ImageStore

OK, BROKEN, DROPPED, FILTERED = "ok", "broken", "dropped", "filtered"
FETCHERS = 16  # over a network the time goes by waiting
CHUNK = 1024  # images between two writings: what a killed ingest opens again
Files = list[tuple[str, Stamp]]


def index_images(
    listing: pl.DataFrame,
    source: Source,
    store: ImageStore,
    size: int,
    decoder: str,
    fit: str = STRETCH,
    views: Sequence[str] = (IMAGE,),
) -> pl.DataFrame:
    """Bring the store up to date with a listing, and join what it knows of each view's image.

    A file is opened once, however many rows and views show it.

    Args:
        listing: rows with `uri` (of several views `<view>_uri`), relative to the source's base or
            standing for itself, and `fault`.
        source: where the files lie.
        store: the once-made images; files it has seen with equal size and version stay unopened.
        size: side of the stored images in pixels.
        decoder: `pillow` or `simplejpeg`.
        fit: how an oblong becomes a square; see `open_image`.
        views: of a row.

    Returns:
        The listing with full `uri`, `bytes, digest, format, width, height, stored` (its pixels
        are) of each view, `status, reason`.
    """
    uris = [column(view, "uri") for view in views]
    rows = listing.with_columns(_full(listing[uri], source) for uri in uris)
    sound = rows.filter(pl.col("fault").is_null())
    shown = pl.concat(sound[uri].alias("uri") for uri in uris)
    wanted = shown.unique(maintain_order=True).to_list()
    stamped = list(zip(wanted, source.stamps(wanted), strict=True))
    _fill(_changed(stamped, store.table), source, store, (size, decoder, fit))
    known = store.table.with_columns(stored=pl.col("slot") != NO_SLOT)
    known = known.select(*OF_IMAGE, "damage")
    for view, uri in zip(views, uris, strict=True):
        own = known.rename({name: column(view, name) for name in known.columns})
        rows = rows.join(own, on=uri, how="left", maintain_order="left")
    return _judge(rows, views)


def _full(uris: pl.Series, source: Source) -> pl.Series:
    full = [None if name is None else source.uri(name) for name in uris]
    return pl.Series(uris.name, full, dtype=pl.String)


def _changed(stamped: Files, known: pl.DataFrame) -> Files:
    """Return the files that the store has not seen as they are; unversioned ones always."""
    seen = set(known.select("uri", "bytes", "version").rows())
    return [
        (uri, stamp)
        for uri, stamp in stamped
        if not stamp.version or (uri, stamp.bytes, stamp.version) not in seen
    ]


def _fill(files: Files, source: Source, store: ImageStore, how: tuple[int, str, str]) -> None:
    """Open files by several hands, and append them in their order, a chunk at a time."""
    if not files:
        return
    starts = range(0, len(files), CHUNK)
    with (
        Progress() as progress,
        ThreadPoolExecutor(_hands(source)) as pool,
    ):
        bar = progress.add_task("images", total=len(files))
        for start in starts:
            part = files[start : start + CHUNK]
            opened = []
            for image in pool.map(lambda file: open_image(source, file[0], file[1], *how), part):
                opened.append(image)
                progress.advance(bar)
            store.add(part, opened)


def _hands(source: Source) -> int:
    """Return how many open files at once: Pillow frees the interpreter while it decodes."""
    return max(available_cores(), FETCHERS if source.is_remote else 1)


def _judge(table: pl.DataFrame, views: Sequence[str]) -> pl.DataFrame:
    """A fault of the row comes before a fault of its images; of several views it says whose."""
    damages = [column(view, "damage") for view in views]
    told = [
        pl.lit("" if view == IMAGE else f"{view}: ") + pl.col(damage)
        for view, damage in zip(views, damages, strict=True)
    ]
    reason = pl.coalesce("fault", pl.concat_str(told, separator="; ", ignore_nulls=True))
    return table.with_columns(
        pl.col(column(view, "stored") for view in views).fill_null(value=False),
        status=pl.when(reason == "").then(pl.lit(OK)).otherwise(pl.lit(BROKEN)),
        reason=reason,
    ).drop("fault", *damages)
