"""What is known of each drug: its names, and EDI codes as a many-to-many look-up beside the classes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from assay.runs.files import write_json
from assay.systems.pills.data.annotation import DRUG
from assay.systems.pills.data.codes import NotFoundError

if TYPE_CHECKING:
    from assay.systems.pills.data.codes import ClassTable
    from assay.systems.pills.data.index import Index

Facts = dict[str, str | None]


def with_drugs(table: pl.DataFrame, index: Index) -> pl.DataFrame:
    """Add `names`, `edi`, `form_names` (as published) of each pill and the photograph's `img_key`."""
    drugs = index.drugs.with_row_index("drug").select(
        pl.col("drug").cast(pl.Int32), "img_key",
        names=pl.col("dl_name").fill_null(""), edi=pl.col("di_edi_code").fill_null(""),
        form_names=pl.col("form_code_name").fill_null(""),
    )  # fmt: skip
    pills = table.select("sample_id", "drug").explode("drug")
    joined = pills.join(drugs, on="drug", how="left", maintain_order="left")
    told = joined.group_by("sample_id", maintain_order=True).agg(
        pl.col("names", "edi", "form_names").drop_nulls(), pl.col("img_key").drop_nulls().min()
    )
    return table.drop("drug").join(told, on="sample_id", how="left", maintain_order="left")


@dataclass(frozen=True)
class DrugTable:
    """Drugs by class id, and by EDI code.

    Attributes:
        classes: the class table.
        facts: what labels say of a drug, by class id; of several variants the most frequent.
        ids_of: class ids of each EDI code, ascending; several drugs may share one.
    """

    classes: ClassTable
    facts: dict[int, Facts]
    ids_of: dict[str, list[int]]

    def of_edi(self, code: str) -> list[int]:
        """Return the class ids of an EDI code.

        Raises:
            NotFoundError: no drug has it.
        """
        if code not in self.ids_of:
            raise NotFoundError(
                f"EDI {code}", "no drug has this code", f"one of {len(self.ids_of)}"
            )
        return self.ids_of[code]

    def of_class(self, number: int) -> Facts:
        """Return what is known of a class.

        Raises:
            NotFoundError: the table has no such id, or no label speaks of it.
        """
        code = self.classes.code(number)
        if number not in self.facts:
            raise NotFoundError(code, "no label speaks of this drug", "a drug of the source")
        return self.facts[number]

    def edi_of(self, number: int) -> list[str]:
        """Return the EDI codes of a class; empty where the drug is published without one."""
        return edi_codes(self.of_class(number)["di_edi_code"])

    def without_edi(self) -> list[str]:
        """Return the K-codes of drugs without an EDI code."""
        return [
            self.classes.code(number) for number in sorted(self.facts) if not self.edi_of(number)
        ]

    def write(self, path: Path) -> None:
        """Write `drug_metadata.json`: equal drugs give equal bytes."""
        write_json(path, {
            "edi_to_class_id": self.ids_of,
            "drug_metadata": {
                str(number): {"K-code": self.classes.code(number), **facts}
                for number, facts in self.facts.items()
            },
            "num_classes": len(self.classes),
            "without_edi_code": self.without_edi(),
        })  # fmt: skip


def edi_codes(published: str | None) -> list[str]:
    """Return the codes in a published field such as `643303740,A01200351`."""
    return sorted({code.strip() for code in (published or "").split(",")} - {""})


def gather_drugs(index: Index, classes: ClassTable) -> DrugTable:
    """Gather what labels say of the drugs that the class table knows."""
    said = (
        index.labels.filter(pl.col("damage").is_null())
        .group_by("dl_mapping_code", "drug")
        .len()
        .join(index.drugs.with_row_index("drug").cast({"drug": pl.Int32}), on="drug")
        .filter(pl.col("dl_mapping_code").is_in(list(classes.codes)))
        .sort("dl_mapping_code", "len", *DRUG, descending=[False, True, *[False] * len(DRUG)])
        .unique("dl_mapping_code", keep="first", maintain_order=True)
    )
    facts = {
        classes.id(row["dl_mapping_code"]): {name: row[name] for name in DRUG}
        for row in said.iter_rows(named=True)
    }
    ids_of: dict[str, list[int]] = defaultdict(list)
    for number in sorted(facts):
        for code in edi_codes(facts[number]["di_edi_code"]):
            ids_of[code].append(number)
    return DrugTable(classes, dict(sorted(facts.items())), dict(sorted(ids_of.items())))
