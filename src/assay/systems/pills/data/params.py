"""The section `pills` of `params.yaml`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from assay.sections import data
from assay.sections.data import DataParams
from assay.sections.section import Section
from assay.systems.pills.data.mask_params import DESIGNS, MasksParams


class Phantom(Section):
    """How many phantom photographs there are, and which faults are planted."""

    classes: int = Field(ge=2, le=DESIGNS, description="drugs")
    sessions: int = Field(ge=1, le=90, description="of each drug, and of each combination")
    angles: int = Field(ge=1, le=54, description="photographs of a session")
    combinations: int = Field(ge=0, le=60, description="sets of three or four drugs")
    width: int = Field(ge=64, le=976, description="of a photograph, px; it is 1280/976 as high")
    folders: Literal["english", "korean"] = Field(description="names of folders")
    seed: int = Field(ge=0, description="of light, ground, place and noise")
    unseen: int = Field(ge=0, description="drugs that stand in the validation parts alone")
    lonely: int = Field(ge=0, description="drugs with one session alone")
    outside: int = Field(ge=0, description="photographs with a box beyond the image")
    doubled: int = Field(ge=0, description="combinations with one box under two drugs")
    missing: int = Field(ge=0, description="combinations that lack the label of one pill")
    empty: int = Field(ge=0, description="photographs with a box without area")
    unlabelled: int = Field(ge=0, description="photographs without a label")
    imageless: int = Field(ge=0, description="labels without a photograph")
    truncated: int = Field(ge=0, description="labels cut off half-way")
    unknown: int = Field(ge=0, description="labels whose code is no K-code")
    broken: int = Field(ge=0, description="images cut off half-way")

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if self.unseen + self.lonely >= self.classes:
            raise ValueError(
                f"{self.unseen} unseen and {self.lonely} lonely of {self.classes} drugs: one at least"
                " must be neither"
            )
        return self


class PillsIngest(data.Ingest):
    """How photographs are chosen and read."""

    session_key: Literal["session", "img_key"] = Field(
        description="what never stands in two parts: `session` (the file name without camera angle"
        " and size) or `img_key` (of sets that keep the source photograph there)"
    )
    stage: Literal[1, 2, 3, 4, "all"] = Field(description="of the curriculum; see `curriculum`")
    max_samples: int | Literal["all"] = Field(description="training photographs, at most")
    seed: int = Field(ge=0, description="of the choice of classes and photographs")

    @model_validator(mode="after")
    def _some(self) -> Self:
        if isinstance(self.max_samples, int) and self.max_samples < 1:
            raise ValueError("max_samples is at least 1, or `all`")
        return self


class PillsParams(DataParams):
    """The section `pills`, in which that of the data set `pills.masks` stands."""

    phantom: Phantom
    ingest: PillsIngest
    masks: MasksParams
