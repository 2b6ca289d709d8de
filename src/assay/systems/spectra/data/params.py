"""The section `spectra` of `params.yaml`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from assay.sections.data import DataParams, Ingest, Similar
from assay.sections.section import Section


class Phantom(Section):
    """How many phantom structures there are, and which faults are planted."""

    samples: int = Field(ge=20, description="rows, over all parts")
    parts: int = Field(ge=1, le=100, description="pairs of files")
    physics: Literal["scalar", "rcwa"] = Field(
        description="`scalar` diffraction, or Maxwell's equations (extra `rcwa`; seconds a structure)"
    )
    orders: int = Field(ge=9, le=1001, description="diffraction orders of rcwa, at most")
    diagonal: bool = Field(description="structures symmetric about their diagonal, as published")
    seed: int = Field(ge=0)
    uncomputed: int = Field(ge=0, description="rows of zeros, valid 0")
    failed: int = Field(ge=0, description="rows of zeros, valid 2")
    twins: int = Field(ge=0, description="rows that are another's 180° twin")
    conflicts: int = Field(ge=0, description="structures that stand twice, with other spectra")
    broken: int = Field(ge=0, description="rows with a value that is no number")

    @model_validator(mode="after")
    def _enough(self) -> Self:
        faulty = self.uncomputed + self.failed + 2 * (self.twins + self.conflicts) + self.broken
        if faulty > self.samples:
            raise ValueError(f"rows for all faults: {faulty} asked, {self.samples} samples")
        return self


class SpectraIngest(Ingest):
    """How arrays are read, and what becomes of their rows."""

    size: int = Field(ge=8, le=1024, multiple_of=8, description="side of a structure, px")
    decoder: Literal["pillow"] = "pillow"  # no image is decoded
    thin: Literal["pick", "mean"]
    bins: int = Field(ge=2, le=301)
    copy_: Literal["full", "packed", "none"] = Field(alias="copy")

    @field_validator("copy_")
    @classmethod
    def _possible(cls, value: str) -> str:
        return value


class Exact(Similar):
    """Structures are compared exactly, by ingest; nothing is searched."""

    n_neighbors: int = 1
    null_pairs: int = 20
    seed: int = 0
    search: Literal["none"]


class SpectraParams(DataParams):
    """The section `spectra`."""

    phantom: Phantom
    ingest: SpectraIngest
    similar: Exact
