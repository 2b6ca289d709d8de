"""Groups: samples that must never stand in two splits."""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from assay.manifest.spelling import LOOKALIKES, UNSEEN

PEOPLE = (
    "patient",
    "session",
)  # kinds of groups whose ids people write; others are files or digests


def spelling(group: pl.Series) -> pl.Series:
    """Return ids as one keyboard would write them: `P 12`, `p12` and full-width `Ｐ１２` are one person.

    Width, composition (of Hangul, of accents), case, and blanks of any kind; a blank between two digits
    stays, since `1 12` is not `11 2`.
    """
    seen = group.str.replace_all(f"[{UNSEEN}]", "").str.normalize("NFKC").str.to_lowercase()
    spaced = seen.str.strip_chars().str.replace_all(r"\s+", " ")
    return spaced.str.replace_all(r"([^\d ]) ", "$1").str.replace_all(r" (\D)", "$1")


def likely(group: pl.Series) -> pl.Series:
    """Return one name for spelt ids that may be one person's; that they are is a guess.

    Leading zeros, a trailing `.0`, dashes and underscores of any kind (between digits one is like
    another, elsewhere none), accents of Latin letters, Cyrillic and Greek letters that look Latin.
    """
    name = group.str.normalize("NFD").str.replace_all(r"([a-z])\p{Mn}+", "$1").str.normalize("NFC")
    name = name.str.replace_many(list(LOOKALIKES), list(LOOKALIKES.values()))
    name = name.str.replace_all(r"[\p{Pd}\x{2212}\x{30fb}_ ]+", "-")
    name = name.str.replace_all(r"(^|[^\d-])-|-$", "$1").str.replace_all(r"-(\D)", "$1")
    name = name.str.replace(r"(^|[^\d.])(\d+)\.0+$", "$1$2")
    return name.str.replace_all(r"(^|[^\d.])0+(\d)", "$1$2")


def joined_spellings(group: pl.Series) -> pl.Series:
    """Return spelt ids, those that may be one person's under the smallest of their names."""
    names = pl.DataFrame({"name": group, "likely": likely(group)})
    return names.select(pl.col("name").min().over("likely"))["name"].alias(group.name)


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
