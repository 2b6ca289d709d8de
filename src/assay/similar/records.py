"""How an image's features, and what is known of a pair, are laid out in the files that keep them.

Apart from the files: a process that extracts or compares needs no polars, 0.15 s of its start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from typing import TYPE_CHECKING

import numpy as np

from assay.similar import colour, dense, words
from assay.similar.features import KEYPOINTS, PICTURE, Features
from assay.similar.null import LEAST

if TYPE_CHECKING:
    from assay.similar.appended import Records
    from assay.similar.match import Match

ABSENT = -1
# One image: 99 kB. `picture` and `relief` fill the upper left of a square.
RECORD = np.dtype([
    ("content", "V16"), ("count", "<u2"), ("points", "<f4", (KEYPOINTS, 2)),
    ("angles", "<f4", (KEYPOINTS,)), ("turned", "?", (KEYPOINTS,)),
    ("descriptors", "u1", (KEYPOINTS, 128)), ("words", "<i4", (KEYPOINTS, words.EACH)),
    ("shape", "<u2", (2,)), ("picture", "u1", (PICTURE, PICTURE)),
    ("relief", "i1", (PICTURE // 2, PICTURE // 2)), ("frame", "i1", (dense.SQUARE, dense.SQUARE)),
    ("colour", "<f4", (colour.COLUMNS,)),
])  # fmt: skip
# A guess about a pair of places; a pair without one that any rule accepts has one of −1 inliers. `last`
# says that no more follow: of a pair that a killed run left half written nothing is believed.
PAIR = np.dtype([
    ("a", "<i4"), ("b", "<i4"), ("inliers", "<i4"), ("correlation", "<f8"), ("overlap", "<f8"),
    ("mirrored", "?"), ("rotation", "<f8"), ("scale", "<f8"), ("last", "?"),
])  # fmt: skip
# What a random pair reaches, of a pair of places, thoroughly compared.
CHANCE = np.dtype([("a", "<i4"), ("b", "<i4"), ("inliers", "<i4"), ("correlation", "<f8")])
PARTS = ("points", "angles", "turned", "descriptors", "words")


def packed(name: np.void, found: Features) -> Records:
    """Return the record (1,) of an image."""
    record = np.zeros(1, RECORD)
    count, (height, width) = len(found.points), found.picture.shape
    record["content"], record["count"], record["shape"] = name, count, (height, width)
    for part in PARTS:
        record[part][0, :count] = getattr(found, part)
    record["picture"][0, :height, :width] = found.picture
    record["relief"][0, : (height + 1) // 2, : (width + 1) // 2] = found.relief
    record["frame"], record["colour"] = found.frame, found.colour
    return record


def unpacked(record: np.void) -> Features:
    """Return the features of an image; views of the record."""
    count, (height, width) = int(record["count"]), record["shape"]
    return Features(
        **{part: record[part][:count] for part in PARTS},
        picture=record["picture"][:height, :width],
        relief=record["relief"][: (height + 1) // 2, : (width + 1) // 2],
        frame=record["frame"],
        colour=record["colour"],
    )


def pair_rows(a: int, b: int, guesses: Sequence[Match]) -> Records:
    """Return the rows of a pair: the guesses that the least strict rule accepts, or that none is."""
    good = [(a, b, *astuple(guess), False) for guess in guesses if LEAST.accepts(guess)]
    rows = np.array(good or [(a, b, ABSENT, 0, 0, False, 0, 0, False)], PAIR)
    rows["last"][-1] = True
    return rows
