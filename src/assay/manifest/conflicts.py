"""Conflicts: one image, several labels. They are judged on all rows, before any filter, in any view.

A label is the target's number, and every column of arrays: points stand in those, nan where absent.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from assay.manifest.index import BROKEN, DROPPED, OK
from assay.manifest.storage import IMAGE, column
from assay.manifest.views import by_image, views_of

IS_CONFLICT = pl.col("differing").list.len() > 0


def identical(table: pl.DataFrame, target: str) -> pl.DataFrame:
    """Return the groups of identical bytes among the images of readable rows.

    Where rows pair photographs, one that stands in several, in one view and labelled alike, is no copy.
    Columns: `digest`, `rows` (how many), `labels` (how many different, an absent one is none),
    `samples`, `values` (lists, ordered by sample), `differing` (names of the columns that say several
    things of the image). Only digests that stand more than once.
    """
    readable = pl.col("status") != BROKEN
    twice = pl.when(readable).then("digest").is_duplicated()
    several = by_image(table).filter(readable & twice).sort("sample_id", maintain_order=True)
    same = several.group_by("digest", maintain_order=True).agg(
        rows=pl.len(),
        labels=pl.col(target).drop_nulls().n_unique(),
        samples=pl.col("sample_id"),
        values=pl.col(target),
    )
    arrays = [name for name, kind in table.schema.items() if isinstance(kind, pl.Array)]
    apart = {
        digest: [name for name in arrays if _differ(rows[name])]
        for (digest,), rows in several.group_by("digest")
    }
    differing = [
        ([target] if labels > 1 else []) + apart[digest]
        for digest, labels in same.select("digest", "labels").rows()
    ]
    same = same.with_columns(pl.Series("differing", differing, dtype=pl.List(pl.String)))
    if views_of(table.columns) == (IMAGE,):
        return same
    copies = several.filter(pl.struct("view", "uri").n_unique().over("digest") > 1)["digest"]
    return same.filter(IS_CONFLICT | pl.col("digest").is_in(copies.implode()))


def conflicting(same: pl.DataFrame) -> pl.DataFrame:
    """Return those of the groups of `identical` that say several things of one image."""
    return same.filter(IS_CONFLICT)


def _differ(column: pl.Series) -> bool:
    """Whether any number of the arrays (rows, …) has two values; nan, or no array at all, has none."""
    values = column.drop_nulls().to_numpy().astype(np.float64)
    known = np.isfinite(values)
    low = np.where(known, values, np.inf).min(axis=0, initial=np.inf)
    return bool((np.where(known, values, -np.inf).max(axis=0, initial=-np.inf) > low).any())


def apply_policy(table: pl.DataFrame, target: str, policy: str) -> pl.DataFrame:
    """Set status and reason of conflicting rows.

    `drop` takes out every row of a conflict (none of its labels is known to be the true one), `group`
    keeps them, in one group; under `stop` nothing changes, and the label gate refuses them.
    """
    conflicts = conflicting(identical(table, target))["digest"].implode()
    digests = pl.col(column(view, "digest") for view in views_of(table.columns))
    touched = (pl.col("status") == OK) & pl.any_horizontal(digests.is_in(conflicts))
    reason = {"drop": "conflict: dropped", "group": "conflict: grouped", "stop": ""}[policy]
    status = DROPPED if policy == "drop" else OK
    return table.with_columns(
        status=pl.when(touched).then(pl.lit(status)).otherwise("status"),
        reason=pl.when(touched).then(pl.lit(reason)).otherwise("reason"),
    )
