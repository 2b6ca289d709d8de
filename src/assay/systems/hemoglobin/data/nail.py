"""Data of `hemoglobin.nail`: Hb (g/dL) from photographs of fingernails.

The published table is `nail_meta_1.csv`, 823 people with one photograph each.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from assay.contract.listing import ONE_VIEW, Listing
from assay.errors import SourceError
from assay.systems.hemoglobin.data import labels
from assay.systems.hemoglobin.data.params import NailParams

if TYPE_CHECKING:
    from assay.contract.checks import Check, Rule
    from assay.contract.listing import LabelRange
    from assay.manifest.source import Source
    from assay.sections.data import Ingest
    from assay.systems.hemoglobin.data.params import NailPhantom

TABLE = "nail_meta_1.csv"


class Nail:
    """The system part `hemoglobin.nail`."""

    name = "hemoglobin.nail"
    target = "hb"
    fit = "stretch"
    views = ONE_VIEW
    covariates = ()
    params = NailParams

    def phantom(self, folder: Path, params: NailPhantom) -> None:
        """Write a phantom of the published folder; Hb is uniform over 7–17 g/dL."""
        from assay.systems.hemoglobin.data.phantom_nail import write_nail_set

        write_nail_set(folder, params)

    def read(self, source: Source) -> Listing:
        """List the samples.

        Raises:
            SourceError: the table is not there, or is none of the published layout.
        """
        table = labels.read_labels(source, TABLE)
        if table is None:
            raise SourceError(source.base, "no table of the published layout", TABLE)
        return Listing(table, labels.group_kind(table), [TABLE])

    def filters(self, params: Ingest) -> Sequence[LabelRange]:
        """Use every Hb, as the study does."""
        return []

    def masked(self, table: pl.DataFrame, params: Ingest) -> pl.DataFrame:
        """Return the manifest as it is: one label a photograph."""
        return table

    def rules(self) -> Sequence[Rule]:
        """Hb is in g/dL; see `labels`."""
        return labels.hb_rules()

    def checks(self, table: pl.DataFrame) -> Sequence[Check]:
        """Judge nothing beyond the columns."""
        return []


NAIL = Nail()
