"""What must be true of spectra, and what is told of them: the laws of a passive plate."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from assay.contract.checks import Check, Rule
from assay.manifest.index import BROKEN, OK

# Rounding of float32 spectra; a wrong sign or another unit is off by far more.
ROUNDING = 1e-4
# A solver's raster is not as symmetric as the law: moved copies of one structure differ by this at most.
SOLVED = 0.01


def rules() -> list[Rule]:
    """Power is not negative, the four cells get no more than falls in, both green cells get the same."""
    return [
        Rule("power_not_negative", "ExpectColumnValuesToBeBetween",
             {"column": "lowest", "min_value": -ROUNDING},
             "0 ≤ S: no cell gets less than nothing"),
        Rule("power_conserved", "ExpectColumnValuesToBeBetween",
             {"column": "cell_sum", "max_value": 1 + ROUNDING},
             "R + G + G + B ≤ 1 in every bin: the cells get no more than falls in"),
        Rule("greens_equal", "ExpectColumnValuesToBeBetween",
             {"column": "green_gap", "min_value": 0, "max_value": ROUNDING},
             "G1 = G2: one published channel stands in both green cells"),
        Rule("sign_known", "ExpectColumnValuesToBeInSet", {"column": "sign", "value_set": [-1, 1]},
             "a spectrum is stored positive or negative"),
    ]  # fmt: skip


def checks(table: pl.DataFrame) -> Sequence[Check]:
    """Tell the premises of the symmetries and the counts of the parts; refuse where signs are mixed."""
    kept = table.filter(pl.col("status") == OK)
    return [_parts(table), _premises(kept), _signs(kept), _range(kept), _disagree(table)]


def _parts(table: pl.DataFrame) -> Check:
    counts = table.group_by("subset", "reason").len().sort("subset", "reason")
    said: dict[str, list[str]] = {}
    for part, reason, count in counts.iter_rows():
        said.setdefault(part, []).append(f"{count} {reason or 'used'}")
    found = "; ".join(f"{part}: {', '.join(each)}" for part, each in said.items())
    return Check("rows of the parts", True, "told, not refused", found, len(table))


def _premises(kept: pl.DataFrame) -> Check:
    """Flips and rolls along one axis are true of diagonal-symmetric structures with equal greens."""
    diagonal = int(kept["diagonal"].sum())
    gap = float(kept["green_gap"].max() or 0)  # type: ignore[arg-type]
    holds = diagonal == len(kept) > 0 and gap <= ROUNDING
    maps = "32 maps hold (full32)" if holds else "8 maps hold (shift8), not 32"
    found = (
        f"{diagonal} of {len(kept)} structures are symmetric about their diagonal, G1 and G2 are at"
        f" most {gap:.1g} apart: {maps}"
    )
    others = kept.filter(~pl.col("diagonal")).select("sample_id").to_dicts()
    return Check("premises", True, "told, not refused", found, len(kept), others)


def _signs(kept: pl.DataFrame) -> Check:
    signs = sorted(kept["sign"].drop_nulls().unique().to_list())
    words = {-1: "stored negative, turned over", 1: "stored positive"}
    found = " and ".join(words.get(sign, f"sign {sign}") for sign in signs) or "none"
    return Check("sign", len(signs) <= 1, "one sign in the whole set", found, len(kept))


def _range(kept: pl.DataFrame) -> Check:
    if not len(kept):
        return Check("range", True, "told, not refused", "no row", 0)
    least, most, total = (
        f"{value:.4f}"
        for value in kept.select(
            pl.col("lowest").min(), pl.col("highest").max(), pl.col("cell_sum").max()
        ).row(0)
    )
    found = f"{least} to {most}; R + G + G + B is at most {total}"
    return Check("range", True, "told, not refused", found, len(kept))


def _disagree(table: pl.DataFrame) -> Check:
    """Moved copies of one structure have one mean: the maps permute the four cells.

    Where both are symmetric about the diagonal, the map between them leaves the green cells in place.
    """
    readable = table.filter((pl.col("status") != BROKEN) & pl.col("mean").is_not_null())
    whole, green = pl.col("mean"), pl.col("green").filter(pl.col("diagonal"))
    apart = pl.max_horizontal(whole.max() - whole.min(), green.max() - green.min())
    spread = (
        readable.group_by("group")
        .agg(apart=apart, samples=pl.col("sample_id").sort())
        .filter(pl.col("samples").list.len() > 1)
        .sort("apart", "group", descending=[True, False])
    )
    beyond = spread.filter(pl.col("apart") > SOLVED)
    found = f"{len(spread)} structures stand more than once, moved or not; {len(beyond)} disagree"
    if len(beyond):
        first = beyond.row(0, named=True)
        found += f", e.g. {' / '.join(first['samples'][:2])} by {first['apart']:.3g}"
    rows = beyond.select("samples").to_dicts()
    return Check("moved copies", not rows, "one mean a structure", found, len(readable), rows)
