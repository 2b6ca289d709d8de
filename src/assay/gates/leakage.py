"""The leakage gate: no group and no image stands in two splits or two folds; it only judges."""

from __future__ import annotations

import polars as pl

from assay.gates.verdict import Check
from assay.manifest.index import OK


def judge_leakage(manifest: pl.DataFrame, splits: pl.DataFrame) -> list[Check]:
    """Return the checks of a split against its manifest.

    Args:
        manifest: with `sample_id, group_id, digest, status`.
        splits: with `sample_id, split, fold`.
    """
    usable = manifest.filter(pl.col("status") == OK)
    placed = usable.join(splits, on="sample_id", how="inner")
    part = pl.concat_str("split", pl.col("fold").cast(pl.String), separator=" ")
    parted = placed.with_columns(part=part)
    return [
        _complete(usable, splits),
        _exclusive(parted, "group_id", "groups"),
        _exclusive(parted, "digest", "identical images"),
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


def _exclusive(parted: pl.DataFrame, column: str, name: str) -> Check:
    spread = (
        parted.group_by(column)
        .agg(parts=pl.col("part").unique().sort(), samples=pl.col("sample_id").sort())
        .filter(pl.col("parts").list.len() > 1)
        .sort(column)
    )
    checked = parted[column].n_unique()
    found = f"{len(spread)} of {checked} in more than one part"
    if len(spread):
        first = spread.row(0, named=True)
        found += f", e.g. {first[column]} in {' and '.join(first['parts'])}"
    return Check(name, not len(spread), "none in two parts", found, checked, spread.to_dicts())
