"""Cut a manifest into ten parts by group, stratified on five bins of the label.

    python benchmarks/split.py [rows the peer takes, 200000] [rows without it, 500000]

Peer: scikit-learn's StratifiedGroupKFold, one round only (half a minute), on the first size alone, and
not where one group holds 30 % of the rows. Naive: shuffled groups dealt in turn, blind to labels.
Assay: `manifest.split.assign`. Limit: numbering the groups and counting their labels, which nobody is
spared. CPU seconds, medians of rounds in turn. Beside them the imbalance: the worst share of a bin off
its whole, and the worst part's size off a tenth, both in percent. Goal: 15 × faster than the peer with
its balance; the second size in seconds.
"""

from __future__ import annotations

import statistics
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import polars as pl
from sklearn.model_selection import StratifiedGroupKFold

from assay.manifest.split import assign, strata

ROUNDS, PARTS, BINS, SEED = 3, 10, 5, 1
HUGE = "one of 30 %"


def manifests(rows: int) -> dict[str, pl.DataFrame]:
    """Return manifests by the shape of their groups; half of a label is its group's."""
    random = np.random.default_rng(SEED)
    shapes = {
        "a group a row": np.arange(rows),
        "fours": np.arange(rows) // 4,
        "about twenty": random.integers(0, rows // 20, rows),
        "skewed": np.minimum(random.pareto(1.0, rows) * 2000, rows).astype(int),
        HUGE: np.where(random.random(rows) < 0.3, 0, np.arange(rows) // 2),
    }
    return {
        name: pl.DataFrame(
            {
                "sample_id": [f"s{row:07d}" for row in range(rows)],
                "group_id": [f"p{number:07d}" for number in group],
                "hb": random.normal(size=rows) + random.normal(size=rows + 1)[group],
            }
        )
        for name, group in shapes.items()
    }


def ours(table: pl.DataFrame) -> np.ndarray:
    """Cut as the stage does."""
    return assign(table, "hb", "none", PARTS, BINS, SEED)["fold"].to_numpy()


def peer(table: pl.DataFrame) -> np.ndarray:
    """Cut as scikit-learn does."""
    bin_of, fold = strata(table["hb"].to_numpy(), BINS), np.empty(len(table), dtype=int)
    cutter = StratifiedGroupKFold(PARTS, shuffle=True, random_state=SEED)
    for number, (_, part) in enumerate(cutter.split(bin_of, bin_of, table["group_id"].to_numpy())):
        fold[part] = number
    return fold


def naive(table: pl.DataFrame) -> np.ndarray:
    """Deal shuffled groups in turn."""
    groups, number = np.unique(table["group_id"].to_numpy(), return_inverse=True)
    return (np.random.default_rng(SEED).permutation(len(groups)) % PARTS)[number]


def limit(table: pl.DataFrame) -> np.ndarray:
    """Number the groups and count their labels."""
    number = table["group_id"].rank("dense").to_numpy().astype(int) - 1
    return np.bincount(number * BINS + strata(table["hb"].to_numpy(), BINS))


def imbalance(table: pl.DataFrame, fold: np.ndarray) -> str:
    """Return the worst share and the worst size off their due, in percent."""
    bin_of, cells = strata(table["hb"].to_numpy(), BINS), np.zeros((PARTS, BINS))
    np.add.at(cells, (fold, bin_of), 1)
    size, due = cells.sum(axis=1, keepdims=True), cells.sum(axis=0) / len(table)
    share = np.abs(cells / np.maximum(size, 1) - due).max()
    return f"{100 * share:8.3f} {100 * np.abs(size / len(table) - 1 / PARTS).max():8.3f}"


def measure(table: pl.DataFrame, ways: dict[str, Callable[[pl.DataFrame], np.ndarray]]) -> None:
    """Print CPU seconds, imbalance and ratios of all ways, run in turn."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    cut = {}
    for round_ in range(ROUNDS):
        for name, way in ways.items():
            if name == "peer" and round_:
                continue
            start = time.process_time()
            cut[name] = way(table)
            times[name].append(time.process_time() - start)
    middle = {name: statistics.median(values) for name, values in times.items()}
    for name, seconds in middle.items():
        off = "" if name == "limit" else imbalance(table, cut[name])
        print(f"  {name:6s} {seconds:8.2f} s {off}   × Assay: {seconds / middle['Assay']:.1f}")


def main() -> None:
    """Measure each shape at both sizes."""
    warnings.simplefilter("ignore")
    small, large = [int(value) for value in sys.argv[1:]] or (200_000, 500_000)
    ways = {"naive": naive, "Assay": ours, "limit": limit}
    for rows, chosen in ((small, {"peer": peer} | ways), (large, ways)):
        for name, table in manifests(rows).items():
            groups = table["group_id"].n_unique()
            print(f"{rows:,} rows, {groups:,} groups ({name}): CPU, worst share, worst size (%)")
            measure(table, ways if name == HUGE else chosen)
    print("goal at the first size: peer at least 15 × Assay, at its balance")


if __name__ == "__main__":
    main()
