"""Near-duplicates of a set: cheap descriptors propose pairs, local features decide."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from rich.progress import track
from threadpoolctl import threadpool_limits

from assay.manifest.hashes import Hashes, views
from assay.similar.colour import colour_descriptors, neighbours
from assay.similar.features import Features, compare, extract
from assay.similar.null import Rule, null_pairs, rule
from assay.similar.search import near_hashes
from assay.similar.words import most_alike, word_weights

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
class Similar:
    """The accepted pairs, sorted by row numbers a < b, and how they came to be.

    `pairs` has the columns of SCHEMA and `hash_distance`, the fewest bits over the eight views.
    """

    pairs: pl.DataFrame
    proposed: dict[str, int]  # candidates by proposer: hash, colour, words
    candidates: int  # of any
    opened: int
    null: int  # random pairs compared
    null_inliers: int  # the most of any
    null_correlation: float  # the highest of any
    rule: Rule


def find_similar(
    thumbnails: Iterable[Images],
    hashes: Hashes,
    groups: Integers,
    open_image: Callable[[int], Images],
    *,
    radius: int,
    nearest: int,
    null: int,
    seed: int,
) -> Similar:
    """Return the pairs of rows of different groups that show one picture.

    Every original is opened once, and of it only the features stay in memory (85 kB a row).

    Args:
        thumbnails: n stored images (size, size, 3), RGB; read once, one by one.
        hashes: (n,) perceptual hashes of the thumbnails.
        groups: (n,) group of each row; pairs within a group are known, and left out.
        open_image: gives a row's original (height, width, 3), RGB; asked once a row at most.
        radius: bits by which hashes may differ.
        nearest: how many rows of other groups each proposer may propose for a row.
        null: random pairs that tell what chance reaches.
        seed: of their draw.
    """
    # Matching multiplies small matrices: BLAS threads, waiting for each other, took ten times as long.
    with threadpool_limits(1, "blas"):
        return _find(thumbnails, hashes, groups, open_image, radius, nearest, null, seed)


def _find(
    thumbnails: Iterable[Images], hashes: Hashes, groups: Integers, open_image: Callable[[int], Images],
    radius: int, nearest: int, null: int, seed: int,
) -> Similar:  # fmt: skip
    colours = colour_descriptors(thumbnails)
    features = _features(groups, open_image)
    proposed = {
        "hash": _by_hash(hashes, groups, radius, nearest),
        "colour": neighbours(colours, groups, nearest),
        "words": most_alike(word_weights(features, seed), groups, nearest),
    }
    candidates = np.unique(np.concatenate(list(proposed.values())), axis=0)
    chance = null_pairs(colours, groups, null, seed)
    reached = [compare(features[a], features[b]) for a, b in track(chance.tolist(), "null pairs")]
    inliers = np.array([max(each.inliers for each in pair) for pair in reached], dtype=np.int64)
    agreeing = np.array([max(each.correlation for each in pair) for pair in reached])
    least = rule(inliers, agreeing)
    pairs = _accepted(candidates, features, least)
    return Similar(
        pairs.with_columns(hash_distance=_distance(hashes, pairs.select("a", "b").to_numpy())),
        proposed={proposer: len(pairs) for proposer, pairs in proposed.items()},
        candidates=len(candidates),
        opened=len(features),
        null=len(chance),
        null_inliers=int(inliers.max(initial=0)),
        null_correlation=float(agreeing.max(initial=0)),
        rule=least,
    )


def _by_hash(hashes: Hashes, groups: Integers, radius: int, nearest: int) -> Integers:
    """Return near pairs of different groups, a row's nearest only.

    Pictures of one kind lie close by hash: of 10,000 lateral films two in a hundred pairs would be
    candidates. A hash of 0, a constant image, is near nothing: it has no features to compare.
    """
    rows = np.flatnonzero(hashes)
    pairs = rows[near_hashes(hashes[rows], radius)]
    pairs = pairs[groups[pairs[:, 0]] != groups[pairs[:, 1]]]
    table = pl.DataFrame({"a": pairs[:, 0], "b": pairs[:, 1], "bits": _distance(hashes, pairs)})
    both = pl.concat([table, table.select(a="b", b="a", bits="bits")]).sort("a", "bits", "b")
    kept = both.filter(pl.int_range(pl.len()).over("a") < nearest)
    found = kept.select(pl.min_horizontal("a", "b"), b=pl.max_horizontal("a", "b"))
    return found.unique().sort("a", "b").to_numpy().astype(np.int64).reshape(-1, 2)


def _distance(hashes: Hashes, pairs: Integers) -> Integers:
    """Return the fewest bits by which each pair differs, over the eight views."""
    bits = np.bitwise_count(views(hashes[pairs[:, 0]]) ^ hashes[pairs[:, 1], None])
    fewest: Integers = bits.min(axis=1, initial=64).astype(np.int64)
    return fewest


def _features(groups: Integers, open_image: Callable[[int], Images]) -> list[Features]:
    """Open each row once and keep its features only; none where all rows are of one group."""
    rows = range(len(groups) if len(np.unique(groups)) > 1 else 0)
    return [extract(open_image(row)) for row in track(rows, "features", disable=not rows)]


def _accepted(pairs: Integers, features: list[Features], least: Rule) -> pl.DataFrame:
    """Return the table of accepted pairs, each with the best of its accepted guesses."""
    rows = []
    for a, b in track(pairs.tolist(), "pairs"):
        good = [guess for guess in compare(features[a], features[b]) if least.accepts(guess)]
        if good:
            best = max(good, key=lambda guess: (guess.inliers, guess.correlation))
            rows.append({"a": a, "b": b, **asdict(best)})
    return pl.DataFrame(rows, schema=SCHEMA)
