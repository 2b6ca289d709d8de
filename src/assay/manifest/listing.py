"""Faults that any listing may have: a sample listed twice, a path that strays or is not there."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

import polars as pl

from assay.manifest.storage import IMAGE, column


def deduplicate(table: pl.DataFrame, views: Sequence[str] = (IMAGE,)) -> pl.DataFrame:
    """Give each row an id of its own, and its fault where the platform sees one.

    A sample (the images of all its views, `item`) that stands twice with equal labels is kept once; with
    different labels none of its rows is, since nobody knows which is true. A relative path may not leave
    the source's folder.

    Args:
        table: a system's listing: `sample_id, uri, item, group, subset`, labels, `fault`, and `line`
            where it was read from a table.
        views: of a row; of several, each has its `<view>_uri`.

    Returns:
        The same rows with their `line`, `sample_id` unique.
    """
    if "line" not in table.columns:
        table = table.with_columns(line=pl.int_range(1, pl.len() + 1))
    uris = [column(view, "uri") for view in views]
    strays = [_strays(table[uri], view) for uri, view in zip(uris, views, strict=True)]
    told = table.with_columns(fault=pl.coalesce("fault", *strays, _twice(table, [*uris, "item"])))
    again = pl.int_range(pl.len()).over("sample_id") > 0
    named = pl.when(again).then(pl.format("{}#{}", "sample_id", "line")).otherwise("sample_id")
    return told.with_columns(sample_id=named)


def _strays(uris: pl.Series, view: str) -> pl.Expr:
    suspects = uris.filter(uris.str.contains("..", literal=True)).unique()
    out = [
        uri
        for uri in suspects
        if "://" not in uri and posixpath.normpath(uri).split("/", 1)[0] == ".."
    ]
    strays = pl.col(uris.name).is_in(out)
    whose = "" if view == IMAGE else f"{view}: "
    told = pl.when(strays).then(pl.lit(f"{whose}the path leaves the source's folder"))
    return told.when(pl.col(uris.name).is_null()).then(pl.lit(f"{whose}no path is listed"))


def _twice(table: pl.DataFrame, key: Sequence[str]) -> pl.Expr:
    """Tell which line says the same, or that lines disagree."""
    said = [name for name in table.columns if name not in {"sample_id", "fault", "line", "subset"}]
    sound = pl.col("fault").is_null()
    versions = pl.struct(said).filter(sound).n_unique().over(key)
    standing = sound.sum().over(key)
    first = pl.col("line").filter(sound).min().over(key)
    lines = pl.col("line").filter(sound).unique().sort().cast(pl.String).str.join(", ").over(key)
    return (
        pl.when(standing < 2)
        .then(None)
        .when(versions > 1)
        .then(pl.lit("listed at lines ") + lines + pl.lit(" with different labels"))
        .when(pl.col("line") > first)
        .then(pl.lit("listed twice: the same as line ") + first.cast(pl.String))
    )
