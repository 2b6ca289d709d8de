"""Rows as training sees them: numpy arrays only, so that the learning core needs no table library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from assay.manifest.records import LazyImages


@dataclass(frozen=True)
class Rows:
    """Samples with their stored images.

    Attributes:
        images: (n, size, size, 3) uint8, often a memory map; of chosen rows, a streamed set, and
            cuts `LazyImages`, which look like an array (n, h, w, channels), read row by row.
        columns: name → array of n; `sample_id`, `group_id`, and the labels.
    """

    images: npt.NDArray[np.uint8]
    columns: Mapping[str, npt.NDArray[np.generic]]

    def __len__(self) -> int:
        return len(self.images)

    def where(self, chosen: npt.NDArray[Any]) -> Rows:
        """Return the chosen rows (mask or numbers); of the images an index is kept, and no copy."""
        columns = {name: column[chosen] for name, column in self.columns.items()}
        images: Any = self.images
        lazy = images if isinstance(images, LazyImages) else LazyImages.over(images)
        return Rows(cast("npt.NDArray[np.uint8]", lazy.where(chosen)), columns)
