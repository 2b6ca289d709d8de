"""Ingest: source → manifest and once-made images; faults become `status` and `reason`, never exceptions.

Order: conflicts are judged on all rows, then policy, then filters, then groups.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import polars as pl

from assay.contract.listing import GROUP_KINDS
from assay.contract.system import ensure_views
from assay.contract.system_capabilities import SupportsSampling, SupportsStreaming
from assay.errors import SourceError
from assay.lookup import find_system
from assay.manifest.arrays_made import array_folder, made_records
from assay.manifest.conflicts import apply_policy
from assay.manifest.groups import PEOPLE, join_groups, joined_spellings, spelling
from assay.manifest.images import require
from assay.manifest.index import BROKEN, DROPPED, FILTERED, OK, index_images
from assay.manifest.layout import Layout
from assay.manifest.listing import deduplicate
from assay.manifest.phantom import made_phantom
from assay.manifest.snapshot import PHANTOM, provenance
from assay.manifest.source import Source
from assay.manifest.storage import OriginalStorage, PixelStorage, column, read_storage
from assay.manifest.store import ImageStore, image_folder
from assay.manifest.table import write_table
from assay.manifest.views import views_of
from assay.runs.files import content_digest
from assay.runs.lock import held

if TYPE_CHECKING:
    from assay.contract.listing import Listing
    from assay.contract.system import System
    from assay.sections.data import DataParams
    from assay.stages.launch import Stage

Read = tuple[pl.DataFrame, dict[str, Any]]  # rows with status and reason, and facts about them


def main(stage: Stage) -> None:
    """Write `manifest.parquet` of the data set `stage.item`, and keep its images below `.assay`."""
    system = find_system(stage.item)
    ensure_views(system)
    params = stage.params(system.params)
    base = _base(stage, system, params)
    source = Source(base, stage.root)
    listing = system.read(source)
    files = listing.files(system.views)
    facts, stated_kind = provenance(system.name, params.source, files, listing.tables, source)
    kind = _group_kind(listing, stated_kind)
    facts |= {
        "group_kind": kind,
        "target": system.target,
        "base": base,
    }
    read = _streamed if isinstance(system, SupportsStreaming) else _indexed
    table, more = read(stage, system, params, source, listing)
    table = _decide(system.masked(table, params.ingest), system, params, kind)
    _ensure_usable(system, table, params.source)
    write_table(Layout(system.name).manifest, table, facts | more)
    _report(system, table)


def _indexed(
    stage: Stage, system: System, params: DataParams, source: Source, listing: Listing
) -> Read:
    """Open the images that changed, and keep them at one size."""
    size, decoder, fit = params.ingest.size, params.ingest.decoder, system.fit
    require(decoder)
    chosen = listing.table
    if isinstance(system, SupportsSampling):
        chosen = system.chosen(chosen, params.ingest)
    views = tuple(system.views)
    named = chosen.rename({uri: column(view, "uri") for view, uri in system.views.items()})
    copy = params.ingest.copy_
    folder = image_folder(system.name, source.base, size, decoder, fit, copy)
    with held(stage.root / f"{folder}.lock", "another process opens these images; waiting"):
        store = ImageStore(stage.root / folder, size, keep=copy == "full")
        rows = deduplicate(named, views).sort("sample_id")
        table = index_images(rows, source, store, size, decoder, fit, views)
    said = (system.name, source.base, folder, size, fit, views)
    storage = PixelStorage(*said) if copy == "full" else OriginalStorage(*said, decoder=decoder)
    return table, storage.facts()


def _streamed(
    stage: Stage, system: System, params: DataParams, source: Source, listing: Listing
) -> Read:
    """Read the arrays in blocks, and keep what their rows are once usable."""
    assert isinstance(system, SupportsStreaming)
    how, stream = params.ingest, system.stream
    asked = how.model_dump(exclude={"max_broken_share"})
    folder = array_folder(system.name, source.base, asked, _code(stage))
    with held(stage.root / f"{folder}.lock", "another process reads these arrays; waiting"):
        streamed = made_records(
            stage.root / folder, source, listing.files(system.views),
            lambda write: stream(source, how, write),
        )  # fmt: skip
    names = streamed.table["uri"].unique().to_list()
    full = pl.col("uri").replace_strict(names, [source.uri(name) for name in names])
    table = streamed.table.with_columns(full, stored=pl.col("slot") >= 0)
    facts = {
        **streamed.facts, "base": source.base, "images": folder, "size": how.size, "fit": system.fit
    }  # fmt: skip
    return table, facts | read_storage(facts, system.name).facts()


def _base(stage: Stage, system: System, params: DataParams) -> str:
    """Return where the source lies; a phantom is made first."""
    if params.source != PHANTOM:
        return params.source.rstrip("/")
    return made_phantom(stage.root, system.name, system.phantom, params.phantom, _code(stage))


def _code(stage: Stage) -> str:
    return content_digest(
        {path: md5 for path, md5 in stage.inputs.items() if path.startswith("code/")}
    )


def _decide(table: pl.DataFrame, system: System, params: DataParams, kind: str) -> pl.DataFrame:
    table = apply_policy(table, system.target, params.policy.conflict)
    for kept in system.filters(params.ingest):
        outside = (pl.col("status") == OK) & ~pl.col(kept.column).is_between(kept.low, kept.high)
        reason = f"{kept.column} outside {kept.low:g}–{kept.high:g}"
        table = table.with_columns(
            status=pl.when(outside).then(pl.lit(FILTERED)).otherwise("status"),
            reason=pl.when(outside).then(pl.lit(reason)).otherwise("reason"),
        )
    if isinstance(
        system, SupportsStreaming
    ):  # equal bytes have one group already: it is made of them
        return table.with_columns(group_id=pl.col("group"))
    digests = [table[column(view, "digest")] for view in views_of(table.columns)]
    group = spelling(table["group"])
    if kind in PEOPLE and params.policy.spelling == "group":
        group = joined_spellings(group)
    return table.with_columns(join_groups(group, *digests))


def _group_kind(listing: Listing, stated: str | None) -> str:
    """Return the snapshot's word where there is one, but never above the evidence."""
    kinds = GROUP_KINDS
    if stated is None or kinds.index(stated) < kinds.index(listing.group_kind):
        return listing.group_kind
    return stated


def _ensure_usable(system: System, table: pl.DataFrame, source: str) -> None:
    if (table["status"] == OK).any():
        return
    reasons = table["reason"].value_counts(sort=True).rows()
    raise SourceError(
        source,
        "no usable sample: " + "; ".join(f"{count} × {reason}" for reason, count in reasons[:3]),
        "at least one row with status ok",
        f"mend the files or their table, then assay snapshot {system.name} {shlex.quote(source)}",
    )


def _report(system: System, table: pl.DataFrame) -> None:
    """Print how many rows each step left, and why the others went."""
    left = len(table)
    steps = [f"{left} rows"]
    for status, text in ((BROKEN, "readable"), (DROPPED, "without conflicts"), (FILTERED, "used")):
        gone = int((table["status"] == status).sum())
        left -= gone
        if gone or status != DROPPED:  # only the policy `drop` makes a set without conflicts
            steps.append(f"{left} {text}")
    groups = table["group_id"].filter(table["status"] == OK).n_unique()
    print(f"{system.name}: {', '.join(steps)}, in {groups} groups")
    for reason, count in table["reason"].value_counts().sort("reason").iter_rows():
        if reason:
            print(f"  {count:6d}  {reason}")
