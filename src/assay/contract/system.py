"""The contract of a system: one set of data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from assay.contract.listing import ONE_VIEW
from assay.contract.system_capabilities import SupportsStreaming
from assay.errors import AssayError

if TYPE_CHECKING:
    import polars as pl

    from assay.contract.checks import Check, Rule
    from assay.contract.listing import LabelRange, Listing
    from assay.contract.quantity import Quantity
    from assay.manifest.source import Source
    from assay.sections.data import DataParams


class System(Protocol):
    """One set of data: where it comes from, what its labels mean, how a phantom of it is made.

    Attributes:
        name: a section of `params.yaml`.
        views: view → the column of the listing's table that says its files; of one, `ONE_VIEW`.
        target: the label's column.
        exchangeable: columns of parts whose pictures are of one kind: what others teach holds in each.
        kind: column of what pictures are of, if of several; a part is asked where others have its kinds.
        is_visible: labels can be seen in their pictures, so that a set without a trace of them is wrong.
        fit: `stretch` or `letterbox`: how an oblong photograph becomes a square stored image.
    """

    name: str
    views: Mapping[str, str]
    target: str
    exchangeable: Sequence[str]
    kind: str
    is_visible: bool
    fit: str

    @property
    def covariates(self) -> Sequence[str]:
        """Return the columns of numbers that a network may be fed beside the images, such as age."""
        ...

    @property
    def quantities(self) -> Sequence[Quantity]:
        """Return what is measured, in which unit, and what people write it in instead."""
        ...

    @property
    def parts(self) -> Sequence[str]:
        """Return the columns by which labels are judged apart: table, folder, clinic, device."""
        ...

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


def ensure_views(system: System) -> None:
    """Refuse a declaration of views that cannot be, before a file is opened.

    Raises:
        AssayError: one view is not `ONE_VIEW`, or rows of array files are to have several.
    """
    found, several = f"views {dict(system.views)}", len(system.views) > 1
    if several and isinstance(system, SupportsStreaming):
        raise AssayError(system.name, f"{found} of rows of arrays", f"{dict(ONE_VIEW)}")
    if several == ("image" in system.views) or (not several and system.views != ONE_VIEW):
        expected = f"{dict(ONE_VIEW)}, or several views, none of them `image`"
        raise AssayError(system.name, found, expected)
