"""Rows as training sees them: numpy arrays only, so that the learning core needs no table library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from assay.manifest.records import LazyImages, StackedViews

Images = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Rows:
    """Samples with their stored images.

    Attributes:
        images: view → (n, size, size, 3) uint8, often a memory map or a slice of one; of chosen rows, a
            streamed set, and cuts `LazyImages`, which look like an array (n, h, w, channels), read row by
            row.
        columns: name → array of n; `sample_id`, `group_id`, and the labels.
    """

    images: Mapping[str, Images]
    columns: Mapping[str, npt.NDArray[np.generic]]

    def __len__(self) -> int:
        return len(next(iter(self.images.values())))

    @property
    def image(self) -> Images:
        """Return the images of the only view.

        Raises:
            ValueError: there are several: the one that is meant has to be named.
        """
        if len(self.images) != 1:
            raise ValueError(f"one of the views {', '.join(self.images)}, by its name")
        return next(iter(self.images.values()))

    @property
    def stacked(self) -> Images:
        """Return all views, in their order, as (n, views, h, w, channels), read row by row."""
        views = [LazyImages.of(each) for each in self.images.values()]
        return cast("Images", LazyImages(StackedViews(views), np.arange(len(self))))

    def covariates(self, names: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return columns of numbers as a network is fed them, float32 (n, k)."""
        return np.stack([self.columns[name] for name in names], axis=1).astype(np.float32)

    def where(self, chosen: npt.NDArray[Any]) -> Rows:
        """Return the chosen rows (mask or numbers); of the images an index is kept, and no copy."""
        columns = {name: column[chosen] for name, column in self.columns.items()}
        images = {
            view: cast("Images", LazyImages.of(each).where(chosen))
            for view, each in self.images.items()
        }
        return Rows(images, columns)
