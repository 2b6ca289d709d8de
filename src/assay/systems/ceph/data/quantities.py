"""What films are measured in: mm a pixel, and points in px, both readers' as finely."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from assay.contract.quantity import Quantity
from assay.systems.ceph.data.labels import SPACING
from assay.systems.ceph.data.layout import READERS

if TYPE_CHECKING:
    from assay.systems.ceph.data.mean_face import Floats


def _points(table: pl.DataFrame, reader: str) -> Floats:
    """Return (n, 58) px."""
    return table[reader].to_numpy().astype(np.float64).reshape(len(table), -1)


def _inverse(table: pl.DataFrame, length: float) -> Floats:
    """Return (n,) mm a pixel, were the spacing px in `length` mm."""
    spacing = table["spacing"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    return np.asarray(
        np.divide(length, spacing, where=spacing > 0, out=np.full(len(spacing), np.nan))
    )


# Devices of Aariz: 0.089–0.144 mm; films of 1,000–3,000 px are 180–300 mm high.
QUANTITIES = (
    Quantity(
        "spacing", "spacing", "mm a pixel", SPACING,
        others={"cm": 10.0, "µm": 0.001, "dpi": partial(_inverse, length=25.4),
         "px a mm": partial(_inverse, length=1.0)},
        apart=0.6,
    ),
    *(
        Quantity(reader, partial(_points, reader=reader), "px", decimals=None, family="points")
        for reader in READERS
    ),
)  # fmt: skip
