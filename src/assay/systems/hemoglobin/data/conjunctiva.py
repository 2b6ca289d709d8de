"""Data of `hemoglobin.conjunctiva`: Hb (g/dL) from photographs of the palpebral conjunctiva.

Two published folders are one set: `conj_folder1.csv` (200 people, one whole eye and three regions
each) and `conj_folder2.csv` (CP-AnemiC, 710 regions; Mendeley Data, "CP-AnemiC: A conjunctival pallor
dataset and benchmark for anemia detection in children", Appiahene et al. 2023). Either may be absent,
or lie there as its authors publish it: see `eyes_defy`, `cp_anemic`. Ids are prefixed with their folder
(`f1:12`, `f2:12`), so that they cannot collide.
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
from assay.systems.hemoglobin.data.cp_anemic import SHEET, held_against, read_sheet
from assay.systems.hemoglobin.data.eyes_defy import read_countries
from assay.systems.hemoglobin.data.params import ConjunctivaParams
from assay.systems.hemoglobin.data.rows import ensure_one

if TYPE_CHECKING:
    from assay.contract.checks import Rule
    from assay.manifest.source import Source
    from assay.systems.hemoglobin.data.params import HbIngest, Phantom

FOLDER1, FOLDER2 = "conj_folder1.csv", "conj_folder2.csv"
TABLES = (FOLDER1, FOLDER2, f"{SHEET}.csv", f"{SHEET}.xlsx", "India/India.xlsx")
Part = tuple[pl.DataFrame, list[str]]  # samples, and the tables that say them


class Conjunctiva(BaseSystem):
    """The system part `hemoglobin.conjunctiva`."""

    name = "hemoglobin.conjunctiva"
    target = "hb"
    quantities = (labels.HB,)
    parts = ("subset", "clinic", "device")  # only CP-AnemiC's sheet names clinics
    exchangeable = ("subset", "clinic")
    params = ConjunctivaParams

    def phantom(self, folder: Path, params: Phantom) -> None:
        """Write a phantom of both published folders; Hb is uniform over 7–17 g/dL."""
        from assay.systems.hemoglobin.data.phantom_set import write_set

        write_set(folder, params)

    def read(self, source: Source) -> Listing:
        """List both folders' samples, of whichever table says them.

        Raises:
            SourceError: no table is there, two say one folder, or one is not of its published layout.
        """
        parts = [part for part in (_folder1(source), _folder2(source)) if part is not None]
        if not parts:
            raise no_table(source, *TABLES)
        table = pl.concat([part for part, _ in parts], how="diagonal_relaxed")
        kind = labels.group_kind(table, len("f1:"))
        return Listing(table, kind, [place for _, places in parts for place in places])

    def filters(self, params: HbIngest) -> Sequence[LabelRange]:
        """Keep the Hb range of the study; the rest is filtered after conflicts are judged."""
        return [LabelRange("hb", params.hb_min, params.hb_max)]

    def rules(self) -> Sequence[Rule]:
        """Hb is in g/dL; see `labels`."""
        return labels.hb_rules()


CONJUNCTIVA = Conjunctiva()


def _folder1(source: Source) -> Part | None:
    """Return the samples of folder 1, and the tables that say them: its own, or the published ones."""
    own, published = labels.read_labels(source, FOLDER1, "f1:"), read_countries(source, "f1:")
    if own is not None and published is not None:
        ensure_one(source.base, "folder 1", [own[1], published[1][0]])
    return published if own is None else (own[0], [own[1]])


def _folder2(source: Source) -> Part | None:
    """Return the samples of folder 2; where its own table lies beside the sheet, they must agree."""
    own, published = labels.read_labels(source, FOLDER2, "f2:"), read_sheet(source, "f2:")
    if published is None:
        return None if own is None else (own[0], [own[1]])
    if own is None:
        return published[0], [published[1]]
    print(f"{published[1]} is read, and held against {own[1]}")
    return held_against(*published, *own), [published[1], own[1]]
