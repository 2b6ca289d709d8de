"""What a person wants to know of a set at a glance: counts, drugs, codes, sizes, boxes; with figures.

Sizes and boxes are of a seeded sample of the photographs that are used; counts and shares are of all.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from assay.manifest.index import BROKEN, OK
from assay.systems.pills.data.drugs import edi_codes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SAMPLE, SEED = 2500, 42  # photographs
TOP = 10  # drugs
Table = list[dict[str, Any]]


def summarise(table: pl.DataFrame) -> tuple[dict[str, Table], dict[str, bytes]]:
    """Return tables, and figures as PNG files, of a manifest, by title."""
    used = table.filter(pl.col("status") == OK)
    shown = sampled(used)
    pills = box_sizes(shown)
    tables = {
        "summary: photographs": summarise_photographs(table, len(shown)),
        "summary: EDI codes of the drugs": mapped(used),
        f"summary: the {TOP} most frequent drugs": frequent(used),
        f"summary: sizes and boxes of {len(shown)} photographs": statistics(shown, pills),
    }
    return tables, figures(used, shown, pills) if len(shown) else {}


def sampled(used: pl.DataFrame, count: int = SAMPLE) -> pl.DataFrame:
    """Return `count` rows, drawn by a seed, in the order of the manifest; all where there are fewer."""
    if len(used) <= count:
        return used
    chosen = np.random.default_rng(SEED).choice(len(used), count, replace=False)
    return used[np.sort(chosen)]


def summarise_photographs(table: pl.DataFrame, shown: int) -> Table:
    """Return a row a part and mode: photographs, used ones, pills, drugs; what is broken or left out."""
    counted = table.group_by("subset", "mode").agg(
        photographs=pl.len(),
        used=(pl.col("status") == OK).sum(),
        broken=(pl.col("status") == BROKEN).sum(),
        left_out=(~pl.col("status").is_in([OK, BROKEN])).sum(),
        pills=pl.col("codes").filter(pl.col("status") == OK).list.len().sum(),
        drugs=pl.col("codes").filter(pl.col("status") == OK).explode().n_unique(),
    )
    counted = counted.with_columns(broken_share=pl.col("broken") / pl.col("photographs"))
    rows = counted.sort("subset", "mode", nulls_last=True).to_dicts()
    return [*rows, {**dict.fromkeys(counted.columns), "subset": "sampled", "photographs": shown}]


def mapped(used: pl.DataFrame) -> Table:
    """Return how many pills and drugs have EDI codes: none, one, several."""
    pills = used.select("codes", "edi").explode("codes", "edi").drop_nulls("codes")
    each = pills.group_by("codes", "edi").len().sort("codes", "edi")
    counts = [len(edi_codes(said)) for said in each["edi"]]
    kinds = [("none", "one", "several")[min(count, 2)] for count in counts]
    told = each.with_columns(pl.Series("codes_published", kinds, dtype=pl.String))
    found = told.group_by("codes_published").agg(
        drugs=pl.col("codes").n_unique(), pills=pl.col("len").sum(),
        for_example=pl.col("codes").min(),
    )  # fmt: skip
    return found.sort("codes_published").to_dicts()


def frequent(used: pl.DataFrame) -> Table:
    """Return the drugs with the most pills: on how many photographs, in how many sessions."""
    pills = (
        used.select("sample_id", "group_id", "codes", "names")
        .explode("codes", "names")
        .drop_nulls("codes")
    )
    counted = pills.group_by(code="codes").agg(
        name=pl.col("names").min(), pills=pl.len(),
        photographs=pl.col("sample_id").n_unique(), sessions=pl.col("group_id").n_unique(),
    )  # fmt: skip
    shares = counted.with_columns(share=pl.col("pills") / max(len(pills), 1))
    return shares.sort("pills", "code", descending=[True, False]).head(TOP).to_dicts()


def box_sizes(shown: pl.DataFrame) -> pl.DataFrame:
    """Return one row a pill: the box's width and height as shares of the photograph, its area, aspect."""
    pills = shown.select("width", "height", "boxes").explode("boxes").drop_nulls("boxes")
    w, h = (pl.col("boxes").arr.get(place) for place in (2, 3))
    return pills.select(
        box_width=w / pl.col("width"), box_height=h / pl.col("height"),
        box_area=w * h / (pl.col("width") * pl.col("height")), box_aspect=w / h,
    )  # fmt: skip


def statistics(shown: pl.DataFrame, pills: pl.DataFrame) -> Table:
    """Return a row a quantity: least, quartiles, most, mean."""
    quantities: list[tuple[str, pl.Series]] = [
        ("width, px", shown["width"]),
        ("height, px", shown["height"]),
        ("resolution, million px", shown["width"] * shown["height"] / 1e6),
        ("aspect, width / height", shown["width"] / shown["height"]),
        ("pills a photograph", shown["codes"].list.len()),
        ("box width, share", pills["box_width"]),
        ("box height, share", pills["box_height"]),
        ("box area, share", pills["box_area"]),
        ("box aspect, width / height", pills["box_aspect"]),
    ]
    return [
        {"quantity": name, **{
            told: values.cast(pl.Float64).quantile(share, "linear")
            for told, share in (("least", 0.0), ("lower quarter", 0.25), ("median", 0.5),
                                ("upper quarter", 0.75), ("most", 1.0))
        }, "mean": values.cast(pl.Float64).mean()}
        for name, values in quantities
    ]  # fmt: skip


def figures(used: pl.DataFrame, shown: pl.DataFrame, pills: pl.DataFrame) -> dict[str, bytes]:
    """Return PNG files by title: drugs, resolution and aspect, boxes."""
    top = frequent(used)
    return {
        "summary: drugs": _bars([row["code"] for row in top], [row["pills"] for row in top]),
        "summary: photographs": _histograms([
            ("million px", (shown["width"] * shown["height"] / 1e6).to_numpy()),
            ("width / height", (shown["width"] / shown["height"]).to_numpy()),
        ]),
        "summary: boxes": _histograms([
            ("area, share of the photograph", pills["box_area"].to_numpy()),
            ("width / height", pills["box_aspect"].to_numpy()),
        ]),
    }  # fmt: skip


def _bars(names: Sequence[str], counts: Sequence[int]) -> bytes:
    def fill(axes: Axes) -> None:
        axes.barh(names[::-1], counts[::-1])
        axes.set_xlabel("pills")
        axes.tick_params(labelsize=7)

    return _png([fill])


def _histograms(columns: Sequence[tuple[str, Any]]) -> bytes:
    def fill(axes: Axes, name: str, values: Any) -> None:
        axes.hist(values, bins=30)
        axes.set(xlabel=name, ylabel="count")

    return _png([lambda axes, each=each: fill(axes, *each) for each in columns])


def _png(fills: Sequence[Any]) -> bytes:
    """Draw axes side by side; without a date or the library's version: equal figures, equal bytes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(fills), 2.8), layout="constrained")
    for axes, fill in zip(figure.subplots(1, len(fills), squeeze=False)[0], fills, strict=True):
        fill(axes)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=80, metadata={"Software": None})
    return stream.getvalue()
