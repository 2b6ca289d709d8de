"""What a process of the pool does: open and extract some images, or compare some pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from assay.similar.features import extract
from assay.similar.geometry import match_images
from assay.similar.records import CHANCE, packed, pair_rows, unpacked

if TYPE_CHECKING:
    from assay.similar.appended import Appended, Records

Pixels = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Extract:
    """Open rows, and return their records."""

    open_image: Callable[[int], Pixels]

    def __call__(self, task: tuple[Integers, npt.NDArray[np.void]]) -> Records:
        """Return the records of rows, known by the contents beside them."""
        rows, names = task
        found = [
            packed(name, extract(self.open_image(int(row))))
            for row, name in zip(rows, names, strict=True)
        ]
        return np.concatenate(found)


@dataclass(frozen=True)
class Compare:
    """Compare pairs (m, 2) of places in the file of features."""

    features: Appended

    def __call__(self, pairs: Integers) -> Records:
        """Return what may take the second onto the first, of each pair."""
        records = self.features.read()
        found = []
        for a, b in pairs.tolist():
            found.append(pair_rows(a, b, match_images(unpacked(records[a]), unpacked(records[b]))))
        return np.concatenate(found)


@dataclass(frozen=True)
class RandomPair:
    """Compare a random pair of places in the file of features, thoroughly."""

    features: Appended

    def __call__(self, pair: tuple[int, int]) -> Records:
        """Return the most inliers and the highest correlation of any guess."""
        records = self.features.read()
        one, two = (unpacked(records[place]) for place in pair)
        found = match_images(one, two, thorough=True)
        most = max(each.inliers for each in found), max(each.correlation for each in found)
        return np.array([(*pair, *most)], CHANCE)
