"""Near-duplicates of a set: cheap descriptors propose pairs, local features decide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from assay.runs.cores import available_cores
from assay.similar.alike import most_alike, word_weights
from assay.similar.colour import neighbours, standardised
from assay.similar.gather import gathered_chance, gathered_features, gathered_pairs
from assay.similar.kept import store_at
from assay.similar.null import LEAST, LEAST_OVERLAP, null_pairs, rule

if TYPE_CHECKING:
    from assay.similar.appended import Records
    from assay.similar.kept import FeatureStore
    from assay.similar.null import PairThreshold

Integers = npt.NDArray[np.int64]
Images = npt.NDArray[np.uint8]

SCHEMA = {
    "a": pl.Int64,
    "b": pl.Int64,
    "inliers": pl.Int64,
    "correlation": pl.Float64,
    "overlap": pl.Float64,
    "mirrored": pl.Boolean,
    "rotation": pl.Float64,
    "scale": pl.Float64,
}


@dataclass(frozen=True)
class SimilarPairs:
    """The accepted pairs, sorted by row numbers a < b, with the columns of SCHEMA, and how they came."""

    pairs: pl.DataFrame
    proposed: dict[str, int]  # candidates by proposer: colour, words
    candidates: int  # of any
    opened: int  # images
    null: int  # random pairs compared
    null_inliers: int  # the most of any
    null_correlation: float  # the highest of any
    rule: PairThreshold


NOTHING = SimilarPairs(
    pl.DataFrame(schema=SCHEMA), {"colour": 0, "words": 0}, 0, 0, 0, 0, 0.0, LEAST
)


def find_similar(
    digests: Sequence[str],
    groups: Integers,
    open_image: Callable[[int], Images],
    root: Path,
    *,
    nearest: int,
    null: int,
    seed: int,
    kinds: Integers | None = None,
    workers: int | None = None,
) -> SimilarPairs:
    """Return the pairs of rows of different groups that show one picture.

    Each content is opened once in the life of the store below `root`, and 99 kB of it kept there; in
    memory 6 kB a row. What is kept, and how many processes work, changes no byte of what is found.

    Args:
        digests: of the contents of n images; equal ones are opened once.
        groups: (n,) group of each row; pairs within a group are known, and left out.
        open_image: gives a row's original (height, width, 3), RGB; can be pickled.
        root: the repository's root.
        nearest: how many rows of other groups each proposer may propose for a row.
        null: random pairs that tell what chance reaches.
        seed: of their draw.
        kinds: (n,) what the pictures are of, where rows show several; chance is drawn within one.
        workers: processes; None for all cores.
    """
    if len(np.unique(groups)) < 2:
        return NOTHING
    cores = available_cores() if workers is None else workers
    store = store_at(root)
    places = gathered_features(store.features, digests, open_image, cores)
    records = store.features.read()
    colours = standardised(records["colour"][places])
    proposed = {
        "colour": neighbours(colours, groups, nearest, cores),
        "words": most_alike(word_weights(_words(records, places)), groups, nearest),
    }
    candidates = np.unique(np.concatenate(list(proposed.values())), axis=0)
    chance = null_pairs(colours, groups, null, seed, kinds)
    inliers, agreeing = gathered_chance(store.chance, store.features, places[chance])
    least = rule(inliers, agreeing)
    table = _accepted(candidates, places, store, least, cores)
    return SimilarPairs(
        table,
        proposed={proposer: len(found) for proposer, found in proposed.items()},
        candidates=len(candidates),
        opened=len(places),
        null=len(chance),
        null_inliers=int(inliers.max(initial=0)),
        null_correlation=float(agreeing.max(initial=0)),
        rule=least,
    )


def _words(records: Records, places: Integers) -> list[npt.NDArray[np.int32]]:
    words, counts = records["words"], records["count"]
    return [words[place, : counts[place]].ravel() for place in places.tolist()]


def _accepted(
    candidates: Integers,
    places: Integers,
    store: FeatureStore,
    least: PairThreshold,
    cores: int,
) -> pl.DataFrame:
    """Return the table of accepted pairs, each with the best of its accepted guesses."""
    ends = places[candidates]
    known = gathered_pairs(store.pairs, store.features, np.unique(ends, axis=0), cores)
    alike = (pl.col("correlation") >= least.correlation) & (pl.col("overlap") >= LEAST_OVERLAP)
    borne_out = (pl.col("inliers") >= least.inliers) & (pl.col("correlation") >= least.borne_out)
    best = known.filter(alike | borne_out).sort(
        "inliers", "correlation", descending=True, maintain_order=True
    )
    rows = pl.DataFrame(
        {"row_a": candidates[:, 0], "row_b": candidates[:, 1],
         "a": ends[:, 0].astype(np.int32), "b": ends[:, 1].astype(np.int32)}
    )  # fmt: skip
    joined = rows.join(best.unique(["a", "b"], keep="first", maintain_order=True), on=["a", "b"])
    return (
        joined.drop("a", "b")
        .rename({"row_a": "a", "row_b": "b"})
        .sort("a", "b")
        .cast(pl.Schema(SCHEMA))
    )
