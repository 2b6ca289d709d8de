"""From pills to photographs: labels of one photograph are merged, and each photograph gets its fault.

A photograph with one untrue label is left out whole: a pill without its box would be taught as ground.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from assay.systems.pills.data.names import WHOLE_CODE, codes_named, session, stem

if TYPE_CHECKING:
    from assay.systems.pills.data.index import Index

KEY = ("place", "file_name")


def list_photographs(index: Index) -> pl.DataFrame:
    """Return one row a photograph, or a label that belongs to none, sorted by `sample_id`.

    Columns: `sample_id` (its relative path), `uri, item, subset, part, mode, session, img_key`,
    `labelled` (width, height as the labels say), the pills as lists in order of code and place:
    `codes, boxes` (x, y, w, h px), `drug` (variants of the index); `named` (codes of the file
    name), `fault`.
    """
    labels = _assigned(index)
    pills = _merged(labels.filter(pl.col("file_name").is_not_null()))
    images = _images(index)
    rows = images.join(pills, on=KEY, how="full", coalesce=True)
    rows = pl.concat([rows, _stray(labels)], how="diagonal")
    rows = rows.join(index.tree.places, on="place", how="left")
    sample = pl.coalesce("image", "label")
    return (
        rows.with_columns(
            sample_id=sample,
            uri=sample,
            item=pl.lit(0, pl.Int64),
            session=session(pl.col("file_name")),
            named=codes_named(pl.col("file_name").fill_null(pl.col("drugs"))),
        )
        .with_columns(fault=_fault())
        .with_columns(pl.col("codes", "boxes", "drug").fill_null([]))
        .drop("image", "label", "damage", "pill_fault", "is_broken", "drugs", "place", "file_name",
              "pills", "sizes")
        .sort("sample_id")
    )  # fmt: skip


def _images(index: Index) -> pl.DataFrame:
    tree = index.tree
    folder = tree.folders.gather(tree.images["folder"]).alias("folder")
    images = tree.images.with_columns(folder)
    return images.select(
        "place", file_name="name", image=pl.concat_str("folder", "name", separator="/"),
        is_broken="is_broken",
    )  # fmt: skip


def _assigned(index: Index) -> pl.DataFrame:
    """Name the photograph of labels that cannot say it: its name begins the label's own."""
    labels = index.labels.with_columns(label=pl.concat_str("folder", "name", separator="/"))
    dumb = labels.filter(pl.col("file_name").is_null())
    if not len(dumb):
        return labels
    images = index.tree.images.select("place", image="name", stem=stem(pl.col("name")))
    mine = stem(pl.col("name"))
    found = (
        dumb.select("label", "place", "name")
        .join(images, on="place")
        .filter((mine == pl.col("stem")) | mine.str.starts_with(pl.col("stem") + "_"))
        .unique("label", keep="first", maintain_order=True)
        .select("label", found="image")
    )
    joined = labels.join(found, on="label", how="left", maintain_order="left")
    return joined.with_columns(file_name=pl.coalesce("file_name", "found")).drop("found")


def _merged(labels: pl.DataFrame) -> pl.DataFrame:
    """Merge the pills of a photograph: by split root, part, K folder and file name."""
    said = labels.with_columns(pill_fault=_pill_fault())
    ordered = said.sort("dl_mapping_code", "x", "y", "label")
    sound = pl.col("damage").is_null()
    corners = ("x", "y", "w", "h")
    box = pl.concat_arr(pl.col(name) for name in corners)
    return ordered.group_by(*KEY, maintain_order=True).agg(
        label=pl.col("label").min(),
        labelled=pl.concat_list("width", "height").first(),
        sizes=pl.struct("width", "height").filter(sound).n_unique(),
        codes=pl.col("dl_mapping_code").filter(sound),
        boxes=box.filter(sound),
        drug=pl.col("drug").filter(sound),
        pills=pl.struct(*corners).filter(sound).n_unique(),
        damage=pl.col("damage").drop_nulls().first(),
        pill_fault=pl.col("pill_fault").drop_nulls().first(),
    )


def _stray(labels: pl.DataFrame) -> pl.DataFrame:
    """Return labels that name no photograph and resemble none, a row each."""
    return labels.filter(pl.col("file_name").is_null()).select(
        "place", "label", "damage", file_name=pl.lit(None, pl.String)
    )


def _pill_fault() -> pl.Expr:
    """Return the first fault of each pill, in words."""
    x, y, w, h = (pl.col(name) for name in "xywh")
    box = pl.format("[{}, {}, {}, {}]", x, y, w, h)
    code = pl.col("dl_mapping_code")
    size = pl.format("{} x {}", "width", "height")
    return pl.coalesce(
        pl.when(~code.str.contains(WHOLE_CODE)).then(pl.format("unknown class: {}", code)),
        pl.when((w <= 0) | (h <= 0)).then(pl.format("box without area: {} {}", code, box)),
        pl.when((x < 0) | (y < 0) | (x + w > pl.col("width")) | (y + h > pl.col("height"))).then(
            pl.format("box outside the image: {} {} of {}", code, box, size)
        ),
    )


def _fault() -> pl.Expr:
    """Return the first fault of each photograph, in words."""
    labelled, named = pl.col("codes").list.unique().list.sort(), pl.col("named")
    several = labelled.list.len() > 1
    differ = named.list.unique().list.sort() != labelled
    shown = [codes.list.join(" ") for codes in (named, labelled)]
    return pl.coalesce(
        pl.when(pl.col("image").is_null() & pl.col("damage").is_null()).then(
            pl.lit("label without a photograph")
        ),
        pl.when(pl.col("is_broken")).then(pl.lit("broken link")),
        pl.col("damage"),
        pl.when(pl.col("label").is_null()).then(pl.lit("photograph without a label")),
        pl.col("pill_fault"),
        pl.when(pl.col("sizes") > 1).then(pl.lit("labels disagree on the size of the photograph")),
        pl.when(pl.col("pills") < pl.col("codes").list.len()).then(
            pl.when(several)
            .then(pl.lit("one box under two drugs"))
            .otherwise(pl.lit("one box twice"))
        ),
        pl.when(differ).then(pl.format("codes differ: named {}, labelled {}", *shown)),
    )
