"""The leakage gate: no group, no image and no copy of one stands in two parts; it only judges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from assay.contract.checks import Check
from assay.manifest.groups import join_pairs
from assay.manifest.index import OK

NONE = "none"  # the search of `similar.parquet` where there was none
SIMILAR, UNSOUGHT = "similar images", "NOT LOOKED FOR"


def judge_leakage(
    manifest: pl.DataFrame,
    splits: pl.DataFrame,
    similar: pl.DataFrame,
    name: str,
    search: str = "features",
) -> list[Check]:
    """Return the checks of a split against its manifest.

    Args:
        manifest: with `sample_id, group, group_id, status`, and `digest`, of several views of each.
        splits: with `sample_id, split, fold`.
        similar: pairs of near-identical images, `sample_a, sample_b`.
        name: the data set, for the command that mends.
        search: how the pairs were looked for; what begins with `none` says that they were not.
    """
    usable = manifest.filter(pl.col("status") == OK)
    placed = usable.join(splits, on="sample_id", how="inner")
    part = pl.concat_str("split", pl.col("fold").cast(pl.String), separator=" ")
    part = part.str.replace("^trainval ", "fold ").str.replace("^test -1$", "test")
    # Written out here and not taken from the splitter's room: a judge shares no code with the judged.
    plain = (
        pl.col("group")
        .str.to_lowercase()
        .str.split("")
        .list.eval(pl.element().filter(pl.element().str.strip_chars() != ""))
        .list.join("")
    )
    parted = placed.with_columns(part=part, plain=plain)
    return [
        _complete(usable, splits),
        _exclusive(parted, "group_id", "groups"),
        _exclusive(parted, "plain", "group names but for blanks and case"),
        _exclusive(_images(parted), "digest", "identical images"),
        _unsought(search) if search.startswith(NONE) else _similar(parted, similar, name),
    ]


def _complete(usable: pl.DataFrame, splits: pl.DataFrame) -> Check:
    """Every usable row is placed exactly once, and nothing else is."""
    unplaced = usable.join(splits, on="sample_id", how="anti")["sample_id"].to_list()
    strange = splits.join(usable, on="sample_id", how="anti")["sample_id"].to_list()
    twice = splits.filter(pl.col("sample_id").is_duplicated())["sample_id"].to_list()
    faults = [*unplaced, *strange, *twice]
    found = f"{len(splits)} placed of {len(usable)} usable"
    if faults:
        found += f"; {len(unplaced)} unplaced, {len(strange)} unknown, {len(twice)} twice"
    return Check("every row placed once", not faults, "all of them", found, len(usable), faults)


def _images(parted: pl.DataFrame) -> pl.DataFrame:
    """Return one row an image that a row shows, in any view; again written out here."""
    digests = [name for name in parted.columns if name == "digest" or name.endswith("_digest")]
    return pl.concat(parted.select("sample_id", "part", digest=name) for name in digests)


def _exclusive(parted: pl.DataFrame, column: str, name: str) -> Check:
    spread = (
        parted.group_by(column)
        .agg(parts=pl.col("part").unique().sort(), samples=pl.col("sample_id").unique().sort())
        .filter(pl.col("parts").list.len() > 1)
        .sort(column)
    )
    checked = parted[column].n_unique()
    found = f"{len(spread)} of {checked} in more than one part"
    if len(spread):
        first = spread.row(0, named=True)
        found += f", e.g. {first[column]} in {' and '.join(first['parts'])}"
    return Check(name, not len(spread), "none in two parts", found, checked, spread.to_dicts())


def unsought(verdict: Mapping[str, Any]) -> str:
    """Return what has to be said beside a leakage verdict that rests on no search; mostly nothing."""
    found = {check["name"]: str(check["found"]) for check in verdict["checks"]}.get(SIMILAR, "")
    return f"; {SIMILAR} {found}" if found.startswith(UNSOUGHT) else ""


def _unsought(search: str) -> Check:
    """Say that nobody looked: not refused, but never silent."""
    found = f"{UNSOUGHT} (similar.search: {search}): copies may stand in two parts"
    return Check(SIMILAR, True, "told, not refused", found, 0)


def _similar(parted: pl.DataFrame, similar: pl.DataFrame, name: str) -> Check:
    """No pair of near-identical images stands on two sides."""
    where = parted.select("sample_id", "part")
    sides = similar.join(where, left_on="sample_a", right_on="sample_id").join(
        where, left_on="sample_b", right_on="sample_id", suffix="_b"
    )
    across = sides.filter(pl.col("part") != pl.col("part_b")).sort(
        "inliers", "sample_a", "sample_b", descending=[True, False, False]
    )
    found = f"{len(across)} of {len(sides)} near-identical pairs in two parts"
    if len(across):
        first = across.row(0, named=True)
        found += ", e.g. {sample_a} in {part}, {sample_b} in {part_b}".format(**first)
    rows = [
        {"samples": [row["sample_a"], row["sample_b"]], "texts": [row["part"], row["part_b"]],
         "inliers": row["inliers"], "mirrored": row["mirrored"]}
        for row in across.iter_rows(named=True)
    ]  # fmt: skip
    mend = f"dvc exp run -S {name}.policy.similar=group" if rows else ""
    return Check(SIMILAR, not rows, "none in two parts", found, len(sides), rows, mend)


def similar_groups(similar: pl.DataFrame, search: str = "features") -> Check:
    """Show what near-identity joins: each group of images, the largest first."""
    if search.startswith(NONE):
        return Check("similar groups", True, "told, not refused", UNSOUGHT, 0)
    ends = pl.concat([similar["sample_a"], similar["sample_b"]]).unique().sort()
    if not len(ends):
        return Check("similar groups", True, "told, not refused", "none", 0)
    joined = join_pairs(ends.alias("group"), similar["sample_a"], similar["sample_b"])
    groups = (
        pl.DataFrame({"group": joined, "samples": ends})
        .group_by("group")
        .agg(pl.col("samples").sort())
        .sort(pl.col("samples").list.len(), "group", descending=[True, False])
    )
    largest = len(groups["samples"][0])
    found = f"{len(groups)} groups of {len(ends)} images; the largest has {largest}"
    return Check("similar groups", True, "told, not refused", found, len(ends), groups.to_dicts())
