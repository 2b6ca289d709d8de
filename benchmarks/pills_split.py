"""Choose and part half a million photographs of 4,523 drugs.

    python benchmarks/pills_split.py [photographs, 500000]

Each drug has 1–16 sessions of 12 photographs; every tenth session is a combination of three. Naive:
scikit-learn's `train_test_split` over rows: it knows no sessions, so that views of one part company.
Assay: `choose` (a stage of the curriculum) and `part` (grouped, every drug validated that can be). CPU
seconds; beside them the drugs that fold 0 lacks though they have two sessions, and its share.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import polars as pl
from sklearn.model_selection import train_test_split

from assay.manifest.split import assign
from assay.sections.data import Split
from assay.systems.pills.data.curriculum import choose
from assay.systems.pills.data.params import PillsIngest
from assay.systems.pills.data.parting import part

DRUGS, A_SESSION, FOLDS = 4523, 12, 7


def manifest(rows: int) -> pl.DataFrame:
    """Return rows with sessions and drugs."""
    random = np.random.default_rng(1)
    count = rows // A_SESSION
    rare = random.integers(1, 17, DRUGS)
    drug = random.choice(DRUGS, count, p=rare / rare.sum())
    others = random.integers(0, DRUGS, (count, 2))
    shown = [
        sorted({int(one), *(map(int, two) if number % 10 == 0 else ())})
        for number, (one, two) in enumerate(zip(drug, others, strict=True))
    ]
    codes = pl.Series([[f"K-{each:06d}" for each in drugs] for drugs in shown])
    sessions = pl.DataFrame({
        "group_id": [f"s{number:06d}" for number in range(count)], "codes": codes,
        "named": codes, "drug": [drugs[0] for drugs in shown], "subset": ["train"] * count,
    })  # fmt: skip
    table = pl.concat([sessions.with_columns(angle=pl.lit(turn)) for turn in range(A_SESSION)])
    return table.with_columns(sample_id=pl.format("{}/{}", "group_id", "angle")).drop("angle")


def lacking(table: pl.DataFrame, validates: pl.Series) -> str:
    """Return how many drugs with two sessions the validation rows lack, and how many sessions leak."""
    pills = table.with_columns(inside=validates).explode("codes").group_by("codes").agg(
        pl.col("inside").any(), pl.col("group_id").n_unique()
    )  # fmt: skip
    lost = pills.filter(~pl.col("inside") & (pl.col("group_id") > 1)).height
    leaking = table.with_columns(inside=validates).group_by("group_id").agg(
        pl.col("inside").n_unique()
    )["inside"].gt(1).mean()  # fmt: skip
    return f"{lost:5d} drugs lacking, share {validates.mean():.3f}, sessions in both {leaking:.1%}"


def main() -> None:
    """Measure each way once."""
    table = manifest(int(sys.argv[1]) if len(sys.argv) > 1 else 500_000)
    how = Split(test="none", folds=FOLDS, n_bins=100, seed=1)
    print(f"{len(table):,} photographs, {table['group_id'].n_unique():,} sessions")
    ways = {
        "naive": lambda: _naive(table),
        "platform": lambda: assign(table, "drug", "none", FOLDS, 100, 1)["fold"] == 0,
        "Assay": lambda: part(table, "drug", how)["fold"] == 0,
    }
    for name, way in ways.items():
        start = time.process_time()
        validates = way()
        print(f"  {name:9s} {time.process_time() - start:6.2f} s  {lacking(table, validates)}")
    ingest = {"size": 64, "decoder": "pillow", "max_broken_share": 0.0, "session_key": "session",
              "max_samples": "all", "seed": 1}  # fmt: skip
    for stage in (1, 4):
        start = time.process_time()
        chosen = choose(table, PillsIngest.model_validate(ingest | {"stage": stage}))
        drugs = chosen["codes"].explode().n_unique()
        print(
            f"  stage {stage}: {time.process_time() - start:.2f} s, {len(chosen):,} of {drugs} drugs"
        )


def _naive(table: pl.DataFrame) -> pl.Series:
    rows = np.arange(len(table))
    _, inside = train_test_split(rows, test_size=1 / FOLDS, random_state=1)
    return pl.Series(np.isin(rows, inside))


if __name__ == "__main__":
    main()
