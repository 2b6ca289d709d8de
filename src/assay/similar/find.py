"""Near-duplicates of a set: cheap descriptors propose pairs, local features decide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from rich.progress import track

from assay.manifest.hashes import Hashes, views
from assay.similar.colour import colour_descriptors, neighbours
from assay.similar.features import Features, Match, compare, extract
from assay.similar.null import null_pairs, threshold
from assay.similar.search import near_hashes

Integers = npt.NDArray[np.int64]
Images = npt.NDArray[np.uint8]

SCHEMA = {
    "a": pl.Int64,
    "b": pl.Int64,
    "inliers": pl.Int64,
    "mirrored": pl.Boolean,
    "rotation": pl.Float64,
    "scale": pl.Float64,
    "hash_distance": pl.Int64,
}


@dataclass(frozen=True)
class Similar:
    """The accepted pairs (columns as in SCHEMA, sorted by row numbers a < b), and the counts."""

    pairs: pl.DataFrame
    by_hash: int  # candidates within the radius, after the limit a row
    by_colour: int
    candidates: int  # of either
    opened: int
    null: int  # random pairs compared
    null_max: int
    threshold: int


def find_similar(
    pixels: Images,
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

    Args:
        pixels: (n, size, size, 3) stored thumbnails, RGB; read one by one.
        hashes: (n,) perceptual hashes of the thumbnails.
        groups: (n,) group of each row; pairs within a group are known, and left out.
        open_image: gives a row's original (height, width, 3), RGB; asked once a row at most.
        radius: bits by which hashes may differ.
        nearest: how many rows of other groups each proposer may propose for a row.
        null: random pairs that tell what chance reaches.
        seed: of their draw.
    """
    colours = colour_descriptors(pixels)
    by_hash = _by_hash(hashes, groups, radius, nearest)
    by_colour = neighbours(colours, groups, nearest)
    candidates = np.unique(np.concatenate([by_hash, by_colour]), axis=0)
    # Without a candidate there is nothing to decide, and no image is opened.
    chance = null_pairs(colours, groups, null if len(candidates) else 0, seed)
    features = _features(np.unique(np.concatenate([candidates, chance])), open_image)
    reached = np.array([found.inliers for found in _compare(chance, features, "null")], np.int64)
    matches = _compare(candidates, features, "pairs")
    least = threshold(reached)
    return Similar(
        _accepted(candidates, matches, least, hashes),
        by_hash=len(by_hash),
        by_colour=len(by_colour),
        candidates=len(candidates),
        opened=len(features),
        null=len(chance),
        null_max=int(reached.max(initial=0)),
        threshold=least,
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


def _features(rows: Integers, open_image: Callable[[int], Images]) -> dict[int, Features]:
    """Open each row once and keep its features only, 50 kB."""
    progress = track(rows.tolist(), "features", disable=not len(rows))
    return {row: extract(open_image(row)) for row in progress}


def _compare(pairs: Integers, features: dict[int, Features], what: str) -> list[Match]:
    progress = track(pairs.tolist(), what, disable=not len(pairs))
    return [compare(features[a], features[b]) for a, b in progress]


def _accepted(pairs: Integers, matches: list[Match], least: int, hashes: Hashes) -> pl.DataFrame:
    good = [place for place, match in enumerate(matches) if match.inliers >= least]
    kept = pairs[good]
    found = [matches[place] for place in good]
    return pl.DataFrame(
        {
            "a": kept[:, 0],
            "b": kept[:, 1],
            "inliers": [match.inliers for match in found],
            "mirrored": [match.mirrored for match in found],
            "rotation": [match.rotation for match in found],
            "scale": [match.scale for match in found],
            "hash_distance": _distance(hashes, kept),
        },
        schema=SCHEMA,
    )
