"""Features of images, kept by content below `.assay/features`, and the pairs that were compared.

A cache in the strict sense: shared by all sets, appended to, safe to delete. Its folder is named by the
code that extracts, so that an edited extractor never reads what another one left; the file of pairs by
the code that compares, too. A pair is named by the places of both in the file of features.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import polars as pl

from assay.runs.files import content_digest, file_digest
from assay.runs.places import FEATURES
from assay.similar import colour, dense, features, geometry, null, words
from assay.similar.appended import Appended
from assay.similar.records import ABSENT, CHANCE, PAIR, RECORD

Integers = npt.NDArray[np.int64]


class FeatureStore(NamedTuple):
    """The files of one code: of images' features, of pairs' guesses, and of what random pairs reach."""

    features: Appended
    pairs: Appended
    chance: Appended


def store_at(root: Path) -> FeatureStore:
    """Return the files that this code reads and writes."""
    folder = root / FEATURES / _code(features, dense, colour, words)
    compared = _code(geometry, dense, null)
    return FeatureStore(
        Appended(folder / "features.bin", RECORD),
        Appended(folder / f"pairs-{compared}.bin", PAIR),
        Appended(folder / f"chance-{compared}.bin", CHANCE),
    )


def _code(*modules: ModuleType) -> str:
    sources = [file_digest(Path(str(module.__file__))) for module in modules]
    return content_digest([*sources, cv2.__version__, str(RECORD)], 16)


def digest_bytes(digests: Sequence[str]) -> npt.NDArray[np.void]:
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
