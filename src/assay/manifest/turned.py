"""Photographs that EXIF turns, beside labels that are places in them."""

from __future__ import annotations

import polars as pl

from assay.manifest.index import BROKEN, OK

TURNS = {
    2: "mirrors it", 3: "turns it by 180°", 4: "turns it upside down and mirrors it",
    5: "mirrors it and turns it by 90°", 6: "turns it by 90°", 7: "mirrors it and turns it by 270°",
    8: "turns it by 270°",
}  # fmt: skip


def break_turned(table: pl.DataFrame, labels: str, known: pl.Expr | None = None) -> pl.DataFrame:
    """Break rows whose photograph is turned by its EXIF: nobody knows which way its labels were given.

    Args:
        table: a manifest of one view, with `turn`, `status` and `reason`.
        labels: what lies in the photograph: `boxes`, `points`, `mask`.
        known: of rows whose labels say, by the size that they state, that they were given upright.
    """
    turned = (pl.col("status") == OK) & (pl.col("turn") > 1)
    if known is not None:
        turned &= ~known
    what = pl.col("turn").replace_strict(TURNS, default="turns it")
    reason = pl.format(
        f"EXIF {{}}, and its {labels} do not say which way they were given: save it upright"
        f" (mogrify -auto-orient), and its {labels} upon that",
        what,
    )
    return table.with_columns(
        status=pl.when(turned).then(pl.lit(BROKEN)).otherwise("status"),
        reason=pl.when(turned).then(reason).otherwise("reason"),
    )
