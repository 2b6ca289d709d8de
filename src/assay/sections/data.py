"""The section of `params.yaml` that every set of data has; each may widen its own."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from assay.sections.section import Section


class Policy(Section):
    """What is done with a fault; the gates refuse what is left."""

    conflict: Literal["stop", "drop", "group"]
    similar: Literal["stop", "group"]
    spelling: Literal["stop", "group", "keep"] = Field(
        "stop", description="ids that may be one person's (007 and 7, 3 and 3.0, another dash)"
    )
    units: Literal["stop", "tell"] = Field(
        "stop", description="labels of a part in another unit, scale or rounding than the others'"
    )
    agreement: Literal["stop", "tell"] = Field(
        "stop", description="a part whose labels do not belong to its pictures"
    )


class Ingest(Section):
    """How images are read, and how many may be broken."""

    size: int = Field(ge=16, le=2048, description="side of the stored images, px")
    decoder: Literal["pillow", "simplejpeg"]
    max_broken_share: float = Field(ge=0, le=1)
    copy_: Literal["full", "packed", "none"] = Field(
        "full",
        alias="copy",
        description="what is stored of images: `full`, or `none` (opened each time, from the source)",
    )

    @field_validator("copy_")
    @classmethod
    def _possible(cls, value: str) -> str:
        if value == "packed":
            raise ValueError("packed is for structures of 0 and 1: full, or none")
        return value


class Similar(Section):
    """How near-identical images are looked for."""

    search: Literal["features", "none"] = Field(
        "features",
        description="by colour and local features; or not at all, which every verdict then tells",
    )
    n_neighbors: int = Field(
        ge=1, le=100, description="pictures proposed for each, by colour and by local features"
    )
    null_pairs: int = Field(ge=20, description="random pairs that the threshold is taken from")
    seed: int = Field(ge=0)

    @model_validator(mode="before")
    @classmethod
    def _without_radius(cls, value: Any) -> Any:
        if isinstance(value, dict) and "radius" in value:
            raise ValueError(
                "similar without `radius`: copies are proposed by colour and local features, no longer by"
                " a hash; delete the line"
            )
        return value


class Split(Section):
    """How samples are parted; by group, always."""

    test: int | float | Literal["none", "published"] = Field(
        description="share of the sealed test set; a whole number: so many groups; none; or the"
        " source's own subset `test`"
    )
    folds: int = Field(ge=2, le=50)
    n_bins: int = Field(ge=1, le=100, description="quantile bins of the target")
    seed: int = Field(ge=0)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if isinstance(self.test, float) and not 0 < self.test <= 0.5:
            raise ValueError(
                f"a test share in (0, 0.5], a whole number of groups, none, or published;"
                f" found {self.test}"
            )
        if isinstance(self.test, int) and self.test < 1:
            raise ValueError(f"at least one group, or `none` for no test set; found {self.test}")
        return self


class Seal(Section):
    """How often the sealed test set may be looked at."""

    looks: int = Field(
        ge=0, description="budget of one split; each model version is looked at once"
    )


class DataParams(Section):
    """The section of a system, or of a part of one."""

    source: str = Field(min_length=1)
    phantom: Section
    policy: Policy
    ingest: Ingest
    similar: Similar
    split: Split
    seal: Seal
