"""What boxes are measured in: px of their photograph, x, y, w, h; and what other tools write."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt
import polars as pl

from assay.contract.quantity import Quantity

Floats = npt.NDArray[np.float64]


def _place(
    table: pl.DataFrame, first: float = 1.0, last: float = 0.5, whole: float | None = None
) -> Floats:
    """Return (n,) where the boxes of a photograph lie in the mean: 0.5 is its middle.

    Rows whose boxes cannot be true are judged too: they tell most.

    Args:
        table: the manifest.
        first: weight of x and y in a box's middle.
        last: weight of w and h.
        whole: what the photograph's side is in the numbers' unit; None: its px.
    """
    corners = [
        pl.col("boxes").list.eval(pl.element().arr.get(place)).list.mean() for place in range(4)
    ]
    side = [pl.col("labelled").list.get(axis, null_on_oob=True) for axis in (0, 1)]
    places = [
        (first * corners[axis] + last * corners[axis + 2])
        / (side[axis] if whole is None else whole)
        for axis in (0, 1)
    ]
    found = table.select(place=pl.mean_horizontal(places).cast(pl.Float64).fill_null(np.nan))
    return found["place"].to_numpy()


def _numbers(table: pl.DataFrame) -> Floats:
    """Return (n, 4): the first box of each photograph, as written."""
    first = pl.col("boxes").list.first()
    numbers = [first.arr.get(place).cast(pl.Float64).fill_null(np.nan) for place in range(4)]
    return table.select(each.alias(str(place)) for place, each in enumerate(numbers)).to_numpy()


# Middles of real photographs (267, 1,383 pills): 0.51 of the width, 0.49 of the height in the median.
QUANTITIES = (
    Quantity(
        "box places", _place, "of the photograph", median=(0.35, 0.62),
        others={
            "shares of the photograph": partial(_place, whole=1.0),
            "%": partial(_place, whole=100.0),
            "x0, y0, x1, y1": partial(_place, first=0.5),
        },
        apart=0.1, limit=0.15,
    ),
    Quantity("boxes", _numbers, "px", decimals=None),
)  # fmt: skip
