"""Groups: samples that must never stand in two splits."""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def join_groups(group: pl.Series, digest: pl.Series) -> pl.Series:
    """Join published groups that share identical bytes, over any chain of both.

    Args:
        group: the published group of each sample (patient, session, …).
        digest: the content digest of each sample, null where the file could not be read.

    Returns:
        The joined group of each sample, named after the smallest published group in it.
    """
    groups = group.rank("dense").to_numpy() - 1
    contents = digest.rank("dense").fill_null(0).to_numpy()
    readable = np.flatnonzero(digest.is_not_null().to_numpy())
    offset = int(groups.max(initial=0)) + 1
    # Bipartite: a sample's group on one side, its content on the other.
    rows, columns = groups[readable], offset + contents[readable]
    size = offset + int(contents.max(initial=0)) + 1
    edges = coo_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(size, size))
    _, component = connected_components(edges, directed=False)
    table = pl.DataFrame({"group": group, "component": component[groups]})
    return table.select(pl.col("group").min().over("component"))["group"].alias("group_id")
