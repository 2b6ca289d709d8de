"""Ingest: source → manifest and stored images; faults become `status` and `reason`, never exceptions.

Order: conflicts are judged on all rows, then policy, then filters, then groups.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from assay import contract
from assay.contract import Listing, System
from assay.errors import SourceError
from assay.manifest.conflicts import apply_policy
from assay.manifest.groups import join_groups
from assay.manifest.index import BROKEN, DROPPED, FILTERED, OK, index_images
from assay.manifest.layout import Layout
from assay.manifest.phantom import made_phantom
from assay.manifest.snapshot import PHANTOM, locate, provenance
from assay.manifest.table import write_table
from assay.runs.files import content_digest, write_aside
from assay.sections import DataParams
from assay.stages.launch import Stage


def main(stage: Stage) -> None:
    """Write `manifest.parquet` and `pixels.npy` of the data set `stage.item`."""
    system = contract.find_system(stage.item)
    params = stage.params(system.params)
    uri = _source(stage, system, params)
    folder = locate(uri, stage.root)
    listing = system.read(folder)
    facts, stated_kind = provenance(system.name, params.source, listing.files, folder)
    facts |= {"group_kind": _group_kind(listing, stated_kind), "target": system.target}
    stands_alone = pl.col("uri").str.starts_with("/") | pl.col("uri").str.contains("://")
    below = pl.when(stands_alone).then("uri").otherwise(pl.lit(f"{uri}/") + pl.col("uri"))
    rows = listing.table.sort("sample_id").with_columns(uri=below)
    table, pixels = index_images(rows, stage.root, params.ingest.size)
    table = _decide(table, system, params)
    _write(system, table, pixels, facts)
    _report(system, table)


def _source(stage: Stage, system: System, params: DataParams) -> str:
    """Return the source relative to the root."""
    if params.source != PHANTOM:
        return params.source.rstrip("/")
    code = content_digest({path: md5 for path, md5 in stage.inputs.items() if "src/" in path})
    return made_phantom(stage.root, system, params.phantom, code)


def _decide(table: pl.DataFrame, system: System, params: DataParams) -> pl.DataFrame:
    table = apply_policy(table, system.target, params.policy.conflict)
    for kept in system.filters(params.ingest):
        outside = (pl.col("status") == OK) & ~pl.col(kept.column).is_between(kept.low, kept.high)
        reason = f"{kept.column} outside {kept.low:g}–{kept.high:g}"
        table = table.with_columns(
            status=pl.when(outside).then(pl.lit(FILTERED)).otherwise("status"),
            reason=pl.when(outside).then(pl.lit(reason)).otherwise("reason"),
        )
    group_id = join_groups(table["group"], table["digest"])
    return table.with_columns(group_id).drop("group")


def _group_kind(listing: Listing, stated: str | None) -> str:
    """Return the snapshot's word where there is one, but never above the evidence."""
    kinds = contract.GROUP_KINDS
    if stated is None or kinds.index(stated) < kinds.index(listing.group_kind):
        return listing.group_kind
    return stated


def _write(
    system: System, table: pl.DataFrame, pixels: np.ndarray[Any, Any], facts: dict[str, Any]
) -> None:
    layout = Layout(system.name)
    usable = (table["status"] == OK).to_numpy()
    if not usable.any():
        raise SourceError(
            str(facts["source"]),
            "no usable sample",
            "at least one row with status ok",
            f"assay params, then look at {layout.manifest}",
        )
    write_table(layout.manifest, table, facts)

    def fill(aside: Path) -> None:
        with aside.open("wb") as stream:
            np.save(stream, pixels[usable])

    write_aside(layout.pixels, fill)


def _report(system: System, table: pl.DataFrame) -> None:
    """Print how many rows each step left, and why the others went."""
    left = len(table)
    steps = [f"{left} rows"]
    for status, text in ((BROKEN, "readable"), (DROPPED, "without conflicts"), (FILTERED, "used")):
        gone = table.filter(pl.col("status") == status).height
        left -= gone
        if gone or status != DROPPED:  # only the policy `drop` makes a set without conflicts
            steps.append(f"{left} {text}")
    groups = table.filter(pl.col("status") == OK)["group_id"].n_unique()
    print(f"{system.name}: {', '.join(steps)}, in {groups} groups")
    for reason, count in table["reason"].value_counts().sort("reason").iter_rows():
        if reason:
            print(f"  {count:6d}  {reason}")
