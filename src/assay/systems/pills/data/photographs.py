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
    images = _images(index)
    labels = _assigned(index, images)
    pills = _merged(labels.filter(pl.col("file_name").is_not_null()))
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
        .drop("image", "label", "damage", "pill_fault", "file_fault", "drugs", "place", "file_name",
              "pills", "sizes")
        .sort("sample_id")
    )  # fmt: skip


def _images(index: Index) -> pl.DataFrame:
    """Return the files of photographs: `file_name` is composed (macOS holds Korean names decomposed)."""
    tree = index.tree
    path = pl.concat_str(tree.folders.gather(tree.images["folder"]), "name", separator="/")
    images = tree.images.select(
        "place", file_name=pl.col("name").str.normalize("NFC"), image=path, file_fault="fault"
    )
    several = pl.len().over(*KEY) > 1
    told = pl.format(
        "several files of one name: {}", pl.col("image").sort().str.join(", ").over(*KEY)
    )
    return images.with_columns(file_fault=pl.coalesce("file_fault", pl.when(several).then(told)))


def _assigned(index: Index, images: pl.DataFrame) -> pl.DataFrame:
    """Give each label the name of its photograph as it is there.

    A label may state it with a path, in another composition, case or format; one that cannot be read
    belongs to the photograph that its own name begins with, and to each where several are as likely.
    """
    plain = pl.col("file_name").str.replace(r"^.*[/\\]", "").str.normalize("NFC")
    label = pl.concat_str("folder", "name", separator="/")
    labels = index.labels.with_columns(label=label, file_name=plain)
    shown = images.select("place", "file_name", shown="file_name").unique()
    odd = (
        labels.join(shown, on=KEY, how="anti")
        .select("label", "place", "name", "file_name")
        .unique()
    )
    if not len(odd):
        return labels
    own = shown.select("place", "shown", stem=stem(pl.col("shown")).str.to_lowercase())
    said = pl.coalesce("file_name", "name").str.normalize("NFC")
    odd = odd.with_columns(stem=stem(said).str.to_lowercase())
    exact = odd.join(own, on=["place", "stem"])
    dumb = odd.filter(pl.col("file_name").is_null()).join(exact, on="label", how="anti")
    begun = dumb.join(own, on="place", suffix="_shown").filter(
        pl.col("stem").str.starts_with(pl.col("stem_shown") + "_")
    )
    length = pl.col("stem_shown").str.len_bytes()
    begun = begun.filter(length == length.max().over("label"))
    near = pl.concat([exact, begun.select(exact.columns)])
    found = near.select("label", "shown", doubt=pl.len().over("label") > 1)
    joined = labels.join(found, on="label", how="left", maintain_order="left")
    doubt = pl.when("doubt").then(
        pl.format("label: {} may belong to several photographs", pl.col("name"))
    )
    return joined.with_columns(
        file_name=pl.coalesce("shown", "file_name"), damage=pl.coalesce("damage", doubt)
    ).drop("shown", "doubt")


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
    wide, high = pl.col("width"), pl.col("height")
    size = pl.format("{} x {}", *(side.cast(pl.String).fill_null("none") for side in (wide, high)))
    none = pl.any_horizontal(each.is_null() for each in (x, y, w, h))  # beyond what a number can be
    corners = (w > x) & (h > y) & (w <= wide) & (h <= high)
    hint = pl.when(corners).then(pl.lit("; two corners? expected x, y, width, height"))
    sound = pl.col("damage").is_null()
    return pl.coalesce(
        pl.when(~code.str.contains(WHOLE_CODE)).then(
            pl.format("unknown class: '{}', expected K- and six digits", code)
        ),
        pl.when(sound & ((wide > 0) & (high > 0)).not_().fill_null(value=True)).then(
            pl.format("photograph without a size in its label: {}", size)
        ),
        pl.when(sound & none).then(pl.lit("box of a number that is none")),
        pl.when((w <= 0) | (h <= 0)).then(pl.format("box without area: {} {}", code, box)),
        pl.when((w < 1) | (h < 1)).then(
            pl.format("box of less than a pixel: {} {}, shares? expected px", code, box)
        ),
        pl.when((x < 0) | (y < 0) | (x + w > wide) | (y + h > high)).then(
            pl.format("box outside the image: {} {} of {}", code, box, size)
            + hint.otherwise(pl.lit(""))
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
        pl.col("file_fault"),
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
