"""Rows as training sees them: numpy arrays only, so that the learning core needs no table library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from assay.manifest.records import LazyImages


@dataclass(frozen=True)
class Rows:
    """Samples with their stored images.

    Attributes:
        images: (n, size, size, 3) uint8, often a memory map; of a streamed set, and of cuts,
            `LazyImages`, which look like an array (n, h, w, channels) and are read row by row.
        columns: name → array of n; `sample_id`, `group_id`, and the labels.
    """

    images: npt.NDArray[np.uint8]
    columns: Mapping[str, npt.NDArray[np.generic]]

    def __len__(self) -> int:
        return len(self.images)

    def where(self, mask: npt.NDArray[np.bool_]) -> Rows:
        """Return the rows under `mask`; images are copied once, in row order, lazy ones not."""
        columns = {name: column[mask] for name, column in self.columns.items()}
        if isinstance(self.images, LazyImages):
            return Rows(cast("npt.NDArray[np.uint8]", self.images.where(mask)), columns)
        return Rows(np.ascontiguousarray(self.images[mask]), columns)
