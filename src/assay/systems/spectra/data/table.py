"""What is known of each row while the parts are streamed, in 100 bytes, and the manifest made of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from assay.manifest.index import BROKEN, FILTERED, OK
from assay.systems.spectra.data.kernel import DAMAGED, REASONS

if TYPE_CHECKING:
    from assay.systems.spectra.data.parts import RawPart

Facts = npt.NDArray[np.void]
MEASURED = ("mean", "green", "lowest", "highest", "cell_sum", "green_gap")
FACTS = np.dtype([
    ("place", "u2"), ("row", "i8"), ("slot", "i8"), ("reason", "u2"), ("diagonal", "?"),
    ("digest", "u1", 16), ("group", "u1", 16), ("sign", "i1"), *((name, "f8") for name in MEASURED),
])  # fmt: skip
BLOCK = 1 << 13  # rows that are named at once: what they are made of takes three times their table


def manifest_rows(facts: Facts, parts: Sequence[RawPart]) -> pl.DataFrame:
    """Return a row of the manifest for each; ids sort as the rows stand."""
    blocks = (facts[start : start + BLOCK] for start in range(0, len(facts), BLOCK))
    return pl.concat([_named(block, parts) for block in blocks])


def _named(facts: Facts, parts: Sequence[RawPart]) -> pl.DataFrame:
    wide, long = len(str(parts[-1].number)), max(6, len(str(max(map(len, parts)))))
    numbers = [f"{part.number:0{wide}d}" for part in parts]
    used = pl.col("reason") == 0
    names = pl.DataFrame({
        "place": pl.Series(facts["place"]), "item": pl.Series(facts["row"]),
        "reason": pl.Series(facts["reason"]), "diagonal": pl.Series(facts["diagonal"]),
        "group": hexadecimal(facts["group"]), "digest": hexadecimal(facts["digest"]),
        "slot": pl.Series(facts["slot"]), "sign": pl.Series(facts["sign"]),
        **{name: pl.Series(facts[name]) for name in MEASURED},
    })  # fmt: skip
    place = pl.col("place")
    number = place.replace_strict(range(len(parts)), numbers, return_dtype=pl.String)
    files = [part.structures.name for part in parts]
    return names.select(
        sample_id=number + "-" + pl.col("item").cast(pl.String).str.zfill(long),
        uri=place.replace_strict(range(len(parts)), files, return_dtype=pl.String),
        item=pl.col("item"),
        group=pl.col("group"),
        subset=pl.lit("part ") + number,
        **{name: pl.when(used).then(name) for name in (*MEASURED, "sign")},
        diagonal=pl.col("diagonal"),
        digest=pl.col("digest"),
        format=pl.lit(None, dtype=pl.String),
        slot=pl.col("slot"),
        status=pl.when(used).then(pl.lit(OK))
        .when(pl.col("reason") >= DAMAGED).then(pl.lit(BROKEN)).otherwise(pl.lit(FILTERED)),
        reason=pl.col("reason").replace_strict(
            range(len(REASONS)), list(REASONS), return_dtype=pl.String
        ),
    )  # fmt: skip


def hexadecimal(digests: npt.NDArray[np.uint8]) -> pl.Series:
    """Return digests (n, 16) as text."""
    return pl.Series([each.tobytes() for each in digests], dtype=pl.Binary).bin.encode("hex")


def counts(facts: Facts, parts: int) -> list[dict[str, int]]:
    """Return, part by part, how many rows are used, and why the others are not."""
    table = np.zeros((parts, len(REASONS)), dtype=np.int64)
    np.add.at(table, (facts["place"], facts["reason"]), 1)
    return [
        {reason or "used": int(n) for reason, n in zip(REASONS, row, strict=True) if n}
        for row in table
    ]
