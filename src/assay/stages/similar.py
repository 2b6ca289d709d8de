"""Similar: near-identical images between groups, found once, before the split; nobody is judged here."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import polars as pl

from assay.contract.system_capabilities import SupportsStreaming
from assay.lookup import find_system
from assay.manifest.index import OK
from assay.manifest.layout import Layout
from assay.manifest.originals import Originals
from assay.manifest.source import Source
from assay.manifest.storage import read_storage
from assay.manifest.table import read_table, write_table
from assay.manifest.views import by_image
from assay.similar.find import SCHEMA, find_similar

if TYPE_CHECKING:
    from assay.similar.find import Integers, SimilarPairs
    from assay.stages.launch import Stage

UNSOUGHT, EXACT = "none", "none: compared exactly, by ingest"
EMPTY = pl.DataFrame(schema={**SCHEMA, "sample_a": pl.String, "sample_b": pl.String}).drop("a", "b")


def main(stage: Stage) -> None:
    """Write `similar.parquet`: near-identical pairs of `stage.item`, and how they were found."""
    system = find_system(stage.item)
    params = stage.params(system.params).similar
    layout = Layout(stage.item)
    manifest, facts = read_table(layout.manifest, f"ingest@{stage.item}")
    rows = manifest.filter(pl.col("status") == OK)
    if isinstance(system, SupportsStreaming):
        _by_group(layout, rows)
        return
    # Images are judged, not rows: a photograph that several show is one, and stands for all of them.
    images = by_image(rows).unique("digest", keep="first", maintain_order=True)
    if params.search == "none":
        _unsought(layout, len(images))
        return
    source = Source(read_storage(facts, stage.item).base, stage.root)
    uris, digests = images["uri"].to_list(), images["digest"].to_list()
    found = find_similar(
        digests,
        images["group_id"].rank("dense").cast(pl.Int64).to_numpy(),
        Originals(source, uris, digests, stage.item).open,
        stage.root,
        nearest=params.n_neighbors,
        null=params.null_pairs,
        seed=params.seed,
        kinds=_kinds(images),
    )
    names = images["sample_id"]
    pairs = found.pairs.with_columns(
        sample_a=names.gather(found.pairs["a"]), sample_b=names.gather(found.pairs["b"])
    ).drop("a", "b")
    counts = {key: value for key, value in asdict(found).items() if key != "pairs"}
    write_table(layout.similar, pairs, {**counts, "search": params.search, "images": len(images)})
    _report(found, len(images))


def _kinds(images: pl.DataFrame) -> Integers | None:
    """Return the number of each image's view, where rows show several."""
    if "view" not in images.columns:
        return None
    numbers: Integers = images["view"].rank("dense").cast(pl.Int64).to_numpy()
    return numbers


def _unsought(layout: Layout, images: int) -> None:
    """Write an empty table that says so; no original is opened."""
    write_table(layout.similar, EMPTY, {"search": UNSOUGHT, "images": images})
    print(
        f"similar: near-identical ones among {images} images are not looked for (search: none);"
        " every verdict says so"
    )


def _by_group(layout: Layout, rows: pl.DataFrame) -> None:
    """Write an empty table: what is alike among computed pictures is exactly so, and shares a group."""
    alike = len(rows) - rows["group_id"].n_unique()
    write_table(layout.similar, EMPTY, {"search": EXACT, "images": len(rows)})
    print(
        f"similar: {len(rows)} rows are compared exactly, modulo their symmetries, by ingest: {alike}"
        " share another's group; near-identical ones are not looked for"
    )


def _report(found: SimilarPairs, count: int) -> None:
    proposed = ", ".join(f"{number} by {proposer}" for proposer, number in found.proposed.items())
    print(
        f"similar: {len(found.pairs)} pairs among {count} images, of {found.candidates} candidates"
    )
    print(f"  candidates: {proposed}")
    print(
        f"  accepted from {found.rule.inliers} inliers; {found.null} random pairs of the set reach"
        f" {found.null_inliers}, and a correlation of {found.null_correlation:.2f}"
    )
