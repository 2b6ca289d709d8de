"""The contract of a system: one set of data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import polars as pl

    from assay.contract.checks import Check, Rule
    from assay.contract.listing import LabelRange, Listing
    from assay.manifest.source import Source
    from assay.sections.data import DataParams


class System(Protocol):
    """One set of data: where it comes from, what its labels mean, how a phantom of it is made."""

    name: str
    target: str
    fit: str  # `stretch` or `letterbox`: how an oblong photograph becomes a square stored image

    @property
    def params(self) -> type[DataParams]:
        """Return the model of the section in `params.yaml`."""
        ...

    def phantom(self, folder: Path, params: Any) -> None:
        """Write a small set in the published layout into the empty `folder`; deterministic."""
        ...

    def read(self, source: Source) -> Listing:
        """List the samples of `source`; a row that cannot be read carries its `fault`."""
        ...

    def filters(self, params: Any) -> Sequence[LabelRange]:
        """Return the ranges outside of which a sample is not used."""
        ...

    def masked(self, table: pl.DataFrame, params: Any) -> pl.DataFrame:
        """Return the manifest without what, as the images are, labels cannot be.

        What is learned of them may be settled here too: `params` is the section's `ingest`.
        """
        ...

    def rules(self) -> Sequence[Rule]:
        """Return what must be true of the labels, column by column."""
        ...

    def checks(self, table: pl.DataFrame) -> Sequence[Check]:
        """Return what else the label gate judges of a manifest: what no single column shows."""
        ...
