"""Traces: what pictures and labels look like in a few numbers, for a model of seconds to relate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl


@dataclass(frozen=True)
class Traces:
    """Numbers of rows, one a line.

    Attributes:
        pictures: (n, d) float; a value that is not known is NaN.
        labels: (n, k) float, whatever a line of the pictures may tell; a row with a NaN is left out.
        rows: (n,) the row of the table that each is of; a row may stand several times, moved lawfully.
    """

    pictures: npt.NDArray[np.float64]
    labels: npt.NDArray[np.float64]
    rows: npt.NDArray[np.int64]


class KeptData(Protocol):
    """What ingest keeps beside the manifest."""

    def images(self, digests: pl.Series) -> npt.NDArray[np.uint8]:
        """Return the stored images (n, size, size, 3) of digests."""
        ...

    def labels(self, table: pl.DataFrame) -> Mapping[str, npt.NDArray[Any]]:
        """Return the labels that stand in records, of rows of the manifest; empty where none do."""
        ...
