"""Split: cut the usable rows by group, and part their files, so that training cannot reach the test."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from assay.contract.system_capabilities import SupportsSplit
from assay.lookup import find_system
from assay.manifest.arrays import write_records
from assay.manifest.groups import join_pairs
from assay.manifest.index import OK
from assay.manifest.kept import kept_images
from assay.manifest.layout import Layout
from assay.manifest.split import TEST, assign
from assay.manifest.storage import OriginalStorage, RecordStorage, column, read_storage
from assay.manifest.table import read_table, write_table
from assay.manifest.views import READ
from assay.runs.files import atomic_write, content_digest

if TYPE_CHECKING:
    from assay.manifest.storage import Storage
    from assay.stages.launch import Stage


def main(stage: Stage) -> None:
    """Write `splits.parquet`, and a table and an image file for each part."""
    system = find_system(stage.item)
    layout = Layout(stage.item)
    manifest, facts = read_table(layout.manifest, f"ingest@{stage.item}")
    similar, _ = read_table(layout.similar, f"similar@{stage.item}")
    params, storage = stage.params(system.params), read_storage(facts, stage.item)
    rows = _grouped(manifest.filter(pl.col("status") == OK), similar, params.policy.similar)
    how = params.split
    if isinstance(system, SupportsSplit):
        splits = system.parted(rows, how)
    else:
        splits = assign(rows, system.target, how.test, how.folds, how.n_bins, how.seed)
    is_test = (splits["split"] == TEST).to_numpy()
    # The test set has a digest of its own: other folds over the rest do not make it a new one.
    digests = [column(view, "digest") for view in storage.views]
    tested = rows.filter(pl.Series(is_test)).select("sample_id", *digests).sort("sample_id")
    facts |= {
        "split_digest": content_digest(splits.to_dict(as_series=False)),
        "test_digest": content_digest(tested.rows()),
        "test": how.test,
        "folds": how.folds,  # that validate: a system may put rows into one beyond them, which never does
        "skipped": _skipped(manifest),
    }
    write_table(layout.splits, splits, facts)
    # How images were read, and where labels stood, is nothing that training asks: told anew, it makes
    # none stale.
    read = [column(view, name) for view in storage.views for name in READ]
    whole = rows.with_columns(splits["fold"]).drop("line", *read, strict=False)
    for table, pixels, mask in (
        (layout.trainval, layout.trainval_pixels, ~is_test),
        (layout.sealed, layout.sealed_pixels, is_test),
    ):
        part = whole.filter(pl.Series(mask))
        write_table(table, part, facts)
        atomic_write(pixels, partial(_fill, stage.root, storage, part))
    _report(whole, is_test)


def _skipped(manifest: pl.DataFrame) -> dict[str, int]:
    """Return how many rows are not used, by status; the manifest names each, and why."""
    counts = manifest.filter(pl.col("status") != OK)["status"].value_counts().sort("status")
    return dict(counts.rows())


def _grouped(rows: pl.DataFrame, similar: pl.DataFrame, policy: str) -> pl.DataFrame:
    """Under the policy `group`, join the groups that near-identical images connect."""
    if policy != "group":
        return rows
    group = dict(zip(rows["sample_id"], rows["group_id"], strict=True))
    one, other = (similar[end].replace_strict(group) for end in ("sample_a", "sample_b"))
    joined = join_pairs(rows["group_id"], one, other)
    before, after = rows["group_id"].n_unique(), joined.n_unique()
    print(f"  {before} groups, {after} after joining near-identical images")
    return rows.with_columns(joined)


def _fill(root: Path, storage: Storage, rows: pl.DataFrame, aside: Path) -> None:
    """Write what the part's images are."""
    if isinstance(storage, RecordStorage):
        write_records(aside, root, storage, rows["slot"].to_numpy())
    elif isinstance(storage, OriginalStorage):
        with aside.open("wb") as stream:
            np.save(stream, np.arange(len(rows)).astype(storage.dtype))
    else:
        _copy(root, storage, rows, aside)


def _copy(root: Path, storage: Storage, rows: pl.DataFrame, aside: Path) -> None:
    """Write pixels row by row, so that memory does not grow with the part; of several views side by side.

    (n, h, w, c), or (n, views, h, w, c).
    """
    names = [column(view, "digest") for view in storage.views]
    shown = pl.concat(rows[name].alias("digest") for name in names)
    pixels, found = kept_images(root, storage, shown)
    slots = found.reshape(len(names), len(rows)).T if len(names) > 1 else found
    shape = (*slots.shape, *pixels.shape[1:])
    if shape[0] == 0:  # numpy cannot map an empty file
        with aside.open("wb") as stream:
            np.save(stream, np.empty(shape, dtype=np.uint8))
        return
    part = np.lib.format.open_memmap(aside, mode="w+", dtype=np.uint8, shape=shape)
    for target, own in enumerate(slots):
        part[target] = pixels[own]
    part.flush()


def _report(rows: pl.DataFrame, is_test: np.ndarray[Any, Any]) -> None:
    named = rows.with_columns(
        part=pl.when(pl.Series(is_test))
        .then(pl.lit("test (sealed)"))
        .otherwise(pl.lit("fold ") + pl.col("fold").cast(pl.String))
    )
    counts = named.group_by("part").agg(pl.len(), pl.col("group_id").n_unique()).sort("part")
    for part, samples, groups in counts.iter_rows():
        print(f"  {part}: {samples} samples, {groups} groups")
