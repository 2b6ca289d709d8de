"""Data of `hemoglobin.nail`: Hb (g/dL) from photographs of fingernails.

The published table is `nail_meta_1.csv`, 823 people with one photograph each.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assay.contract.base_system import BaseSystem
from assay.contract.listing import Listing
from assay.manifest.paths import no_table
from assay.systems.hemoglobin.data import labels
from assay.systems.hemoglobin.data.params import PeopleParams

if TYPE_CHECKING:
    from assay.contract.checks import Rule
    from assay.manifest.source import Source
    from assay.systems.hemoglobin.data.params import PeoplePhantom

TABLE = "nail_meta_1.csv"


class Nail(BaseSystem):
    """The system part `hemoglobin.nail`."""

    name = "hemoglobin.nail"
    target = "hb"
    quantities = (labels.HB,)
    parts = ("subset", "clinic", "device")
    exchangeable = ("subset", "clinic")
    params = PeopleParams

    def phantom(self, folder: Path, params: PeoplePhantom) -> None:
        """Write a phantom of the published folder; Hb is uniform over 7–17 g/dL."""
        from assay.systems.hemoglobin.data.phantom_nail import write_nail_set

        write_nail_set(folder, params)

    def read(self, source: Source) -> Listing:
        """List the samples.

        Raises:
            SourceError: the table is not there, or is none of the published layout.
        """
        found = labels.read_labels(source, TABLE)
        if found is None:
            raise no_table(source, TABLE)
        table, place = found
        return Listing(table, labels.group_kind(table), [place])

    def rules(self) -> Sequence[Rule]:
        """Hb is in g/dL; see `labels`."""
        return labels.hb_rules()


NAIL = Nail()
