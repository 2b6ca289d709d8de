"""A part of `params.yaml`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of `params.yaml`: unknown keys are refused, text is never turned into a number."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
