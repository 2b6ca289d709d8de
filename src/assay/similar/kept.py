"""Features of images, kept by content below `.assay/features`, and the pairs that were compared.

A cache in the strict sense: shared by all sets, appended to, safe to delete. Its folder is named by the
code that extracts, so that an edited extractor never reads what another one left; the file of pairs by
the code that compares, too. A pair is named by the places of both in the file of features.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import polars as pl

from assay.runs.files import content_digest, file_digest
from assay.similar import colour, dense, features, geometry, null, words
from assay.similar.appended import Appended
from assay.similar.features import KEYPOINTS, PICTURE, Features
from assay.similar.null import LEAST

if TYPE_CHECKING:
    from assay.similar.appended import Records
    from assay.similar.geometry import Match

Integers = npt.NDArray[np.int64]

FEATURES = ".assay/features"
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


class Store(NamedTuple):
    """The files of one code: of images' features, of pairs' guesses, and of what random pairs reach."""

    features: Appended
    pairs: Appended
    chance: Appended


def store_at(root: Path) -> Store:
    """Return the files that this code reads and writes."""
    folder = root / FEATURES / _code(features, dense, colour, words)
    compared = _code(geometry, dense, null)
    return Store(
        Appended(folder / "features.bin", RECORD),
        Appended(folder / f"pairs-{compared}.bin", PAIR),
        Appended(folder / f"chance-{compared}.bin", CHANCE),
    )


def _code(*modules: ModuleType) -> str:
    sources = [file_digest(Path(str(module.__file__))) for module in modules]
    return content_digest([*sources, cv2.__version__, str(RECORD)], 16)


def content(digests: Sequence[str]) -> npt.NDArray[np.void]:
    """Return the 16 bytes by which each content is known."""
    named = b"".join(hashlib.md5(name.encode(), usedforsecurity=False).digest() for name in digests)
    return np.frombuffer(named, "V16")


def slots(contents: npt.NDArray[np.void], wanted: npt.NDArray[np.void]) -> Integers:
    """Return the first place of each content among those that are held, −1 where it is not there."""
    held = pl.DataFrame({"content": _binary(contents)}).with_row_index("slot")
    asked = pl.DataFrame({"content": _binary(wanted)})
    found = asked.join(
        held.unique("content", keep="first"), on="content", how="left", maintain_order="left"
    )
    return found["slot"].cast(pl.Int64).fill_null(ABSENT).to_numpy()


def _binary(names: npt.NDArray[np.void]) -> pl.Series:
    return pl.Series([bytes(name) for name in names], dtype=pl.Binary)


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


def told(a: int, b: int, guesses: Sequence[Match]) -> Records:
    """Return the rows of a pair: the guesses that the least strict rule accepts, or that none is."""
    good = [(a, b, *astuple(guess), False) for guess in guesses if LEAST.accepts(guess)]
    rows = np.array(good or [(a, b, ABSENT, 0, 0, False, 0, 0, False)], PAIR)
    rows["last"][-1] = True
    return rows
