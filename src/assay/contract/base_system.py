"""What most sets of data have in common: one image a row, no filter, no rule or check of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from assay.contract.listing import ONE_VIEW

if TYPE_CHECKING:
    import polars as pl

    from assay.contract.checks import Check, Rule
    from assay.contract.listing import LabelRange
    from assay.contract.quantity import Quantity


class BaseSystem:
    """A system of the contract that states its source, its labels and its phantom; see `System`."""

    fit = "stretch"
    views: Mapping[str, str] = ONE_VIEW
    covariates: Sequence[str] = ()
    quantities: Sequence[Quantity] = ()
    parts: Sequence[str] = ("subset",)
    exchangeable: Sequence[str] = ("subset",)
    kind = ""
    is_visible = False

    def filters(self, params: Any) -> Sequence[LabelRange]:
        """Use every sample."""
        return []

    def masked(self, table: pl.DataFrame, params: Any) -> pl.DataFrame:
        """Return the manifest as it is."""
        return table

    def rules(self) -> Sequence[Rule]:
        """Ask nothing of single columns."""
        return []

    def checks(self, table: pl.DataFrame) -> Sequence[Check]:
        """Judge nothing beyond the columns."""
        return []
