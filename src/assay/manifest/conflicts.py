"""Conflicts: one image, several labels. They are judged on all rows, before any filter."""

from __future__ import annotations

import polars as pl

from assay.manifest.index import BROKEN, DROPPED, OK


def identical(table: pl.DataFrame, target: str) -> pl.DataFrame:
    """Return the groups of identical bytes among readable rows.

    Columns: `digest`, `rows` (how many), `labels` (how many different, an absent one is none),
    `samples`, `values` (lists, ordered by sample). Only digests that stand more than once.
    """
    readable = table.filter(pl.col("status") != BROKEN).sort("sample_id")
    return (
        readable.group_by("digest", maintain_order=True)
        .agg(
            rows=pl.len(),
            labels=pl.col(target).drop_nulls().n_unique(),
            samples=pl.col("sample_id"),
            values=pl.col(target),
        )
        .filter(pl.col("rows") > 1)
    )


def apply_policy(table: pl.DataFrame, target: str, policy: str) -> pl.DataFrame:
    """Set status and reason of conflicting rows.

    `drop` takes out every row of a conflict (none of its labels is known to be the true one), `group`
    keeps them, in one group; under `stop` nothing changes, and the label gate refuses them.
    """
    conflicts = identical(table, target).filter(pl.col("labels") > 1)["digest"]
    touched = (pl.col("status") == OK) & pl.col("digest").is_in(conflicts.implode())
    reason = {"drop": "conflict: dropped", "group": "conflict: grouped", "stop": ""}[policy]
    status = DROPPED if policy == "drop" else OK
    return table.with_columns(
        status=pl.when(touched).then(pl.lit(status)).otherwise("status"),
        reason=pl.when(touched).then(pl.lit(reason)).otherwise("reason"),
    )
