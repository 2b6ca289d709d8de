"""Groups: samples that must never stand in two splits."""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def spelling(group: pl.Series) -> pl.Series:
    """Return ids without blanks and in lower case: `P 12`, `p12` and `P12 ` are one person."""
    return group.str.replace_all(r"\s", "").str.to_lowercase()


def join_groups(group: pl.Series, *digests: pl.Series) -> pl.Series:
    """Join groups that share identical bytes, in any view, over any chain of both.

    Args:
        group: the group of each sample (patient, session, …).
        digests: of each view the content digest of each sample, null where the file could not be read.

    Returns:
        The joined group of each sample, named after the smallest group in it.
    """
    samples = pl.concat(pl.DataFrame({"group": group, "digest": each}) for each in digests)
    first = samples.drop_nulls("digest").select(
        "group", other=pl.col("group").first().over("digest")
    )
    return join_pairs(group, first["group"], first["other"]).alias("group_id")


def join_pairs(group: pl.Series, one: pl.Series, other: pl.Series) -> pl.Series:
    """Join groups that pairs connect, over any chain of pairs.

    Args:
        group: the group of each sample.
        one: a group of each pair.
        other: the group that belongs with it.

    Returns:
        The joined group of each sample, named after the smallest group in it.
    """
    names = group.unique().sort()
    ends = [names.search_sorted(side).to_numpy() for side in (one, other)]
    size = len(names)
    edges = coo_array((np.ones(len(one), dtype=np.int8), tuple(ends)), shape=(size, size))
    _, component = connected_components(edges, directed=False)
    joined = pl.DataFrame({"name": names, "component": component})
    joined = joined.with_columns(smallest=pl.col("name").min().over("component"))
    found = group.to_frame("name").join(joined, on="name", how="left", maintain_order="left")
    return found["smallest"].alias(group.name)
