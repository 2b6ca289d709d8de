"""Data of `hemoglobin.fusion`: Hb (g/dL) from nail and conjunctiva of a person, with age and gender.

The published table is `fusion_meta.csv` (ImageHB): 26 people, both nails by both eyes, 104 pairs; `side`
names the nail's side first: `LR` is the left nail with the right eye.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from assay.contract.base_system import BaseSystem
from assay.contract.listing import Listing
from assay.contract.quantity import Quantity
from assay.manifest.paths import find_table, no_table, resolve_paths
from assay.manifest.published import faults, number, number_faults, read_published
from assay.systems.hemoglobin.data import labels, pairing
from assay.systems.hemoglobin.data.params import PeopleParams

if TYPE_CHECKING:
    from assay.contract.checks import Check, Rule
    from assay.manifest.source import Source
    from assay.systems.hemoglobin.data.params import PeoplePhantom

TABLE = "fusion_meta.csv"
NAIL, EYE = "nail_image_path", "conj_image_path"
COLUMNS = (NAIL, EYE, "hb_value", "patient_id", "side", "age", "gender")
GENDERS = {"f": 0, "female": 0, "m": 1, "male": 1}
NUMBERS = {"0": 0, "0.0": 0, "1": 1, "1.0": 1}
# Ages of a part may honestly differ: a ward of children beside one of adults.
AGE = Quantity(
    "age",
    "age",
    "years",
    (0.0, 120.0),
    (0.5, 100.0),
    {"months": 1 / 12, "days": 1 / 365.25},
    apart=5,
)


class PairedPhotographs(BaseSystem):
    """The system part `hemoglobin.fusion`; a row is a pair of photographs."""

    name = "hemoglobin.fusion"
    views: Mapping[str, str] = {"nail": "nail_uri", "conjunctiva": "conjunctiva_uri"}
    covariates = ("age", "gender")
    target = "hb"
    quantities = (labels.HB, AGE)
    params = PeopleParams

    def phantom(self, folder: Path, params: PeoplePhantom) -> None:
        """Write a phantom of the published folder; Hb is about uniform over 7–17 g/dL."""
        from assay.systems.hemoglobin.data.phantom_fusion import write_pairs

        write_pairs(folder, params)

    def read(self, source: Source) -> Listing:
        """List the pairs; `age` in years, `gender` 0 (female) or 1 (male).

        Raises:
            SourceError: the table is not there, or is none of the published layout.
        """
        place = find_table(source, TABLE)
        content = None if place is None else source.text(place)
        if place is None or content is None:
            raise no_table(source, TABLE)
        lines = read_published(content, source.uri(place), COLUMNS)
        files = [
            resolve_paths(lines[name], source, place.removesuffix(TABLE)) for name in (NAIL, EYE)
        ]
        side, gender, told = pairing.side_of("side"), _gender(), []
        for view, file in zip(self.views, files, strict=True):
            told.append(pl.lit(f"{view}: ") + pl.lit(file["fault"]))
        fault = faults(TABLE, [
            (pl.col("patient_id").is_null(), pl.lit("patient_id is empty")),
            (side.is_null(), _told("side", "LL, LR, RL or RR: the nail's side, then the eye's")),
            *number_faults("hb_value"),
            *number_faults("age"),
            (_beside_words(), _told("gender", "a word, as in other lines: nobody knows which is 1")),
            (gender.is_null(), _told("gender", "F, M, female, male, 0 (female) or 1 (male)")),
        ])  # fmt: skip
        person = pl.col("patient_id").fill_null("")
        table = lines.select(
            sample_id=person + "-" + pl.coalesce(side, "side", pl.lit("?")),
            nail_uri=files[0]["uri"],
            conjunctiva_uri=files[1]["uri"],
            item=pl.lit(0),
            group=person,
            subset=pl.lit(TABLE.removesuffix(".csv")),
            side=side,
            hb=number("hb_value"),
            age=number("age"),
            gender=gender.cast(pl.Float64),
            line=pl.col("line"),
            fault=pl.coalesce(fault, *told),
        )
        return Listing(table, "patient", [place])

    def rules(self) -> Sequence[Rule]:
        """Hb is in g/dL; see `labels`."""
        return labels.hb_rules()

    def checks(self, table: pl.DataFrame) -> Sequence[Check]:
        """Judge who is paired with whom; see `pairing`."""
        return pairing.judge_pairing(table, self.name)


FUSION = PairedPhotographs()


def _gender() -> pl.Expr:
    """Return 0 or 1, null where the text says neither, or is a number in a column with words."""
    words, numbers = _said(GENDERS), _said(NUMBERS)
    return pl.when(words.is_not_null().any()).then(words).otherwise(numbers)


def _beside_words() -> pl.Expr:
    """Return where a number stands in a column with words."""
    return _said(NUMBERS).is_not_null() & _said(GENDERS).is_not_null().any()


def _said(meanings: Mapping[str, int]) -> pl.Expr:
    text = pl.col("gender").str.to_lowercase()
    return text.replace_strict(meanings, default=None, return_dtype=pl.Int64)


def _told(column: str, expected: str) -> pl.Expr:
    said = pl.lit("'") + pl.col(column) + pl.lit("'")
    return pl.lit(f"{column} is ") + said.fill_null("empty") + pl.lit(f", expected {expected}")
