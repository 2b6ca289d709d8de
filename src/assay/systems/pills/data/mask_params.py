"""The section `pills.masks` of `params.yaml`."""

from __future__ import annotations

from pydantic import Field

from assay.sections.data import DataParams
from assay.sections.section import Section

DESIGNS = 12  # drugs that the phantom knows how to draw


class MasksPhantom(Section):
    """How many phantom photographs there are, and which faults are planted."""

    drugs: int = Field(ge=2, le=DESIGNS)
    sessions: int = Field(ge=1, le=90, description="of each drug, and of each combination")
    angles: int = Field(ge=1, le=54, description="photographs of a session")
    combinations: int = Field(ge=0, le=60, description="sets of three or four drugs")
    width: int = Field(ge=64, le=976, description="of a photograph, px; it is 1280/976 as high")
    seed: int = Field(ge=0, description="of light, ground, place and noise")
    absent: int = Field(ge=0, description="photographs without a mask")
    imageless: int = Field(ge=0, description="masks without a photograph")
    resized: int = Field(ge=0, description="masks of another size than their photograph")
    beyond: int = Field(ge=0, description="masks with a class that the list lacks")
    truncated: int = Field(ge=0, description="masks cut off half-way")
    deep: int = Field(ge=0, description="masks of 16 bits")
    coloured: int = Field(ge=0, description="masks in colours")
    bare: int = Field(ge=0, description="masks that are all ground")
    broken: int = Field(ge=0, description="images cut off half-way")


class MasksParams(DataParams):
    """The section `pills.masks`."""

    phantom: MasksPhantom
