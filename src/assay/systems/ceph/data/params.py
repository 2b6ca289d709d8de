"""The section `ceph` of `params.yaml`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from assay.sections.data import DataParams, Ingest
from assay.sections.section import Section


class Phantom(Section):
    """How many phantom films there are, how large, and which faults are planted."""

    films: int = Field(ge=1, description="one person each; CVM stages in equal shares")
    width: int = Field(ge=100, le=4000, description="of a film of the first machine, px")
    seed: int = Field(ge=0, description="of faces, films and readers")
    doubled: int = Field(ge=0, description="films on which the senior reader has one point twice")
    missing: int = Field(ge=0, description="films on which the junior reader left one point out")
    pairs: int = Field(ge=0, description="films that stand twice, in different published splits")
    broken: int = Field(ge=0, description="images cut off half-way")

    @model_validator(mode="after")
    def _enough(self) -> Self:
        faulty = self.doubled + self.missing + self.pairs + self.broken
        if faulty > self.films:
            raise ValueError(f"at least one film a fault: {faulty} faults, {self.films} films")
        return self


class CephIngest(Ingest):
    """What is taken for a landmark's true place, beside how films are read."""

    target: Literal["mean", "senior", "any"] = Field(
        description="both readers' mean, masked unless both have it; the senior's; of those there"
    )


class CephParams(DataParams):
    """The section `ceph`."""

    phantom: Phantom
    ingest: CephIngest
