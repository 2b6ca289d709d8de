"""Faults that any listing may have, whatever the system: a sample listed twice, a path that strays."""

from __future__ import annotations

import posixpath

import polars as pl

KEY = ("uri", "item")


def deduplicate(table: pl.DataFrame) -> pl.DataFrame:
    """Give each row an id of its own, and its fault where the platform sees one.

    A sample that stands twice with equal labels is kept once; with different labels none of its rows
    is, since nobody knows which is true. A relative path may not leave the source's folder.

    Args:
        table: a system's listing: `sample_id, uri, item, group, subset`, labels, `fault`, and `line`
            where it was read from a table.

    Returns:
        The same rows without `line`, `sample_id` unique.
    """
    if "line" not in table.columns:
        table = table.with_columns(line=pl.int_range(1, pl.len() + 1))
    told = table.with_columns(fault=pl.coalesce("fault", _strays(table["uri"]), _twice(table)))
    again = pl.int_range(pl.len()).over("sample_id") > 0
    named = pl.when(again).then(pl.format("{}#{}", "sample_id", "line")).otherwise("sample_id")
    return told.with_columns(sample_id=named).drop("line")


def _strays(uris: pl.Series) -> pl.Expr:
    suspects = uris.filter(uris.str.contains("..", literal=True)).unique()
    out = [
        uri
        for uri in suspects
        if "://" not in uri and posixpath.normpath(uri).split("/", 1)[0] == ".."
    ]
    strays = pl.col("uri").is_in(out)
    return pl.when(strays).then(pl.lit("the path leaves the source's folder"))


def _twice(table: pl.DataFrame) -> pl.Expr:
    """Tell which line says the same, or that lines disagree."""
    said = [name for name in table.columns if name not in {"sample_id", "fault", "line", "subset"}]
    sound = pl.col("fault").is_null()
    versions = pl.struct(said).filter(sound).n_unique().over(KEY)
    standing = sound.sum().over(KEY)
    first = pl.col("line").filter(sound).min().over(KEY)
    lines = pl.col("line").filter(sound).cast(pl.String).unique().sort().str.join(", ").over(KEY)
    return (
        pl.when(standing < 2)
        .then(None)
        .when(versions > 1)
        .then(pl.lit("listed at lines ") + lines + pl.lit(" with different labels"))
        .when(pl.col("line") > first)
        .then(pl.lit("listed twice: the same as line ") + first.cast(pl.String))
    )
