"""What a label measures: its unit, what is possible of it, and what people write it in instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

    Values = Callable[[pl.DataFrame], npt.NDArray[np.float64]]

Range = tuple[float, float]


@dataclass(frozen=True)
class Quantity:
    """A label column, or what a function makes of a manifest: (n,) or (n, k), NaN where a row has none.

    Attributes:
        name: as it is told.
        values: the column, whose broken rows are not judged, or the function, which decides that itself.
        unit: of the values.
        possible: of one value.
        median: of a part's median.
        others: other units → what numbers in them are multiplied by to be in `unit`; or a function that
            reads the manifest as if they were in it.
        decimals: it is measured with; 0 where digits say nothing, None where they only have to be alike.
        apart: how far medians of parts may honestly lie apart, as a share of the rest's.
        limit: how far at most, whatever the unit; the same share.
        spread: how many times as wide, or as narrow, as the rest a part may be.
        family: quantities of one family are each other's rest: two readers of one film.
    """

    name: str
    values: str | Values
    unit: str
    possible: Range = (-inf, inf)
    median: Range = (-inf, inf)
    others: Mapping[str, float | Values] = field(default_factory=dict)
    decimals: int | None = 0
    apart: float = 0.2
    limit: float = inf
    spread: float = inf
    family: str = ""
