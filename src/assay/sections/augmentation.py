"""What a training image may become, as several tasks say it; mixed into their section `train`."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from assay.sections.section import Section


class Affine(Section):
    """How far an image is turned, scaled and shifted."""

    degrees: float = Field(ge=0, le=180, description="degrees to either side")
    scale: list[float] = Field(min_length=2, max_length=2, description="from, to")
    translate: float = Field(ge=0, le=0.3, description="share of the side")

    @model_validator(mode="after")
    def _around_one(self) -> Self:
        low, high = self.scale
        if not 0.5 <= low <= 1 <= high <= 2:
            raise ValueError(f"scale [low, high] around 1; found {list(self.scale)}")
        return self


class Photometric(Section):
    """How its light changes."""

    brightness: float = Field(ge=0, le=0.5)
    noise: float = Field(ge=0, le=0.2, description="share of white")
