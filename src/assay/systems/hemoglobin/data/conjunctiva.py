"""Data of `hemoglobin.conjunctiva`: Hb (g/dL) from photographs of the palpebral conjunctiva.

Two published folders are one set: `conj_folder1.csv` (200 people, one whole eye and three regions
each) and `conj_folder2.csv` (CP-AnemiC, 710 regions; Mendeley Data, "CP-AnemiC: A conjunctival pallor
dataset and benchmark for anemia detection in children", Appiahene et al. 2023). Either may be absent.
Ids are prefixed with their folder (`f1:12`, `f2:12`), so that they cannot collide.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from assay.contract.base_system import BaseSystem
from assay.contract.listing import LabelRange, Listing
from assay.manifest.paths import no_table
from assay.systems.hemoglobin.data import labels
from assay.systems.hemoglobin.data.params import ConjunctivaParams

if TYPE_CHECKING:
    from assay.contract.checks import Rule
    from assay.manifest.source import Source
    from assay.systems.hemoglobin.data.params import HbIngest, Phantom

FOLDERS = {"f1:": "conj_folder1.csv", "f2:": "conj_folder2.csv"}


class Conjunctiva(BaseSystem):
    """The system part `hemoglobin.conjunctiva`."""

    name = "hemoglobin.conjunctiva"
    target = "hb"
    quantities = (labels.HB,)
    parts = ("subset", "clinic", "device")
    params = ConjunctivaParams

    def phantom(self, folder: Path, params: Phantom) -> None:
        """Write a phantom of both published folders; Hb is uniform over 7–17 g/dL."""
        from assay.systems.hemoglobin.data.phantom_set import write_set

        write_set(folder, params)

    def read(self, source: Source) -> Listing:
        """List both folders' samples.

        Raises:
            SourceError: neither CSV is there, or one is no table of the published layout.
        """
        found = [labels.read_labels(source, name, key) for key, name in FOLDERS.items()]
        tables = [each for each in found if each is not None]
        if not tables:
            raise no_table(source, *FOLDERS.values())
        table = pl.concat(rows for rows, _ in tables)
        kind = labels.group_kind(table, len("f1:"))
        return Listing(table, kind, [place for _, place in tables])

    def filters(self, params: HbIngest) -> Sequence[LabelRange]:
        """Keep the Hb range of the study; the rest is filtered after conflicts are judged."""
        return [LabelRange("hb", params.hb_min, params.hb_max)]

    def rules(self) -> Sequence[Rule]:
        """Hb is in g/dL; see `labels`."""
        return labels.hb_rules()


CONJUNCTIVA = Conjunctiva()
