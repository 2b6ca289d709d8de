"""The curriculum: four nested, seeded selections of the training photographs, balanced over drugs.

Drugs are shuffled once; a stage takes the first of them. Photographs stand in one order, the first of
every drug before the second of any; a stage takes what the stage before took, and fills up in this order
from the photographs that show its drugs alone. Faulty labels are chosen like others, so that the share
of broken rows stays the set's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from assay.contract.curriculum import Goal
from assay.systems.pills.data.names import TEST

if TYPE_CHECKING:
    from assay.systems.pills.data.params import PillsIngest


STAGES = {
    1: Goal(5_000, 50, 0.78),
    2: Goal(25_000, 250, 0.82),
    3: Goal(100_000, 1_000, 0.85, 200),
    4: Goal(500_000, 4_523, 0.85, 200),
}


def choose(table: pl.DataFrame, params: PillsIngest) -> pl.DataFrame:
    """Return the photographs of the stage; of the test set those with none but its drugs.

    Args:
        table: a listing with `sample_id, subset, named`.
        params: `stage`, `max_samples` (of training photographs), `seed`.
    """
    if params.stage == "all" and params.max_samples == "all":
        return table
    is_test = pl.col("subset") == TEST
    rows, place = _ordered(table.filter(~is_test), params.seed)
    tests = _owned(table.filter(is_test), place)
    if params.stage != "all":
        rows, classes = _taken(rows, STAGES, params.stage)
        if params.stage < max(STAGES):
            tests = tests.filter(pl.col("last") < classes)
    if params.max_samples != "all":
        rows = rows.head(params.max_samples)
    kept = pl.concat([rows["sample_id"], tests["sample_id"]])
    return table.join(kept.to_frame(), on="sample_id", how="semi", maintain_order="left")


def _taken(rows: pl.DataFrame, goals: dict[int, Goal], stage: int) -> tuple[pl.DataFrame, int]:
    """Fill up one stage after the other, and return the photographs of the last, and its classes."""
    taken = rows.clear()
    for number in range(1, stage + 1):
        goal = goals[number]
        free = rows.filter(pl.col("last") < goal.classes)
        free = free.join(taken, on="sample_id", how="anti", maintain_order="left")
        taken = pl.concat([taken, free.head(max(0, goal.images - len(taken)))])
    return taken, goals[stage].classes


def _ordered(rows: pl.DataFrame, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the photographs in the order in which stages take them, and the places of the drugs."""
    random = np.random.default_rng(seed)
    codes = rows["named"].explode().drop_nulls().unique().sort()
    place = pl.DataFrame({"code": codes, "place": random.permutation(len(codes))})
    stable = _owned(rows.sort("sample_id"), place)
    chance = pl.Series("chance", random.permutation(len(stable)), dtype=pl.Int64)
    turn = pl.col("chance").rank("ordinal").over("last")
    ordered = stable.with_columns(chance).with_columns(turn=turn)
    return ordered.sort("turn", "last", nulls_last=True).select("sample_id", "last"), place


def _owned(rows: pl.DataFrame, place: pl.DataFrame) -> pl.DataFrame:
    """Return each photograph with the place of the drug that comes last among those it shows.

    A combination can be taken only when all of its drugs are there, and counts for that drug. A drug
    that training lacks has no place: it comes behind all of them.
    """
    shown = rows.select("sample_id", code="named").explode("code")
    found = shown.join(place, on="code", how="left", maintain_order="left")
    last = pl.col("place").fill_null(len(place)).max()
    return found.group_by("sample_id", maintain_order=True).agg(last=last)
