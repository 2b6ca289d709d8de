"""The sections `hemoglobin.conjunctiva`, `.nail` and `.fusion` of `params.yaml`."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from assay.sections.data import DataParams, Ingest
from assay.sections.section import Section


class Faults(Section):
    """Which faults are planted in a phantom."""

    conflicts: int = Field(ge=0, description="photographs planted twice, with another Hb")
    broken: int = Field(ge=0, description="photographs cut off half-way")


class Phantom(Faults):
    """How many phantom people there are, and which faults are planted."""

    folder1: int = Field(ge=0, description="people with four photographs each")
    folder2: int = Field(ge=0, description="people with one photograph each")
    size: int = Field(ge=16, le=1024, description="side of a photograph, px")
    seed: int = Field(ge=0)


class PeoplePhantom(Faults):
    """How many phantom people there are, photographed alike, and which faults are planted."""

    people: int = Field(ge=1)
    size: int = Field(ge=16, le=1024, description="side of a photograph, px")
    seed: int = Field(ge=0)


class HbIngest(Ingest):
    """Which samples are used, beside how they are read."""

    hb_min: float = Field(description="g/dL")
    hb_max: float = Field(description="g/dL")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.hb_min >= self.hb_max:
            raise ValueError(f"hb_min {self.hb_min} below hb_max {self.hb_max}")
        return self


class ConjunctivaParams(DataParams):
    """The section `hemoglobin.conjunctiva`."""

    phantom: Phantom
    ingest: HbIngest


class PeopleParams(DataParams):
    """The sections `hemoglobin.nail` and `hemoglobin.fusion`; the study uses every Hb here."""

    phantom: PeoplePhantom
