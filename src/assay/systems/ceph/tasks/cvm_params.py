"""The section `ceph-cvm` of `params.yaml`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from assay.sections.augmentation import Affine, Photometric
from assay.sections.section import Section
from assay.sections.task import FirstWeights, TaskParams, WarmupCosine


class CvmModel(Section):
    """The network, and what of the film it sees."""

    network: Literal["small_cnn", "linear", "timm", "unet"]
    backbone: str = Field(description="a timm model; the small CNN and the linear layer have none")
    weights: FirstWeights
    head: Literal["nominal", "ordinal"]
    dropout: float = Field(ge=0, lt=1)
    roi: list[float] | Literal["none"] = Field(description="back, top, front, bottom; see `roi`")
    # Models recorded before it was a choice have none.
    finder: Literal["fixed", "detector"] = Field(
        "fixed",
        description="one region for all films, or a square for each, said by a small network",
    )
    input_size: int = Field(ge=16, le=1024, description="side of what the network sees, px")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.network == "small_cnn" and self.input_size % 16:
            raise ValueError(
                f"input_size a multiple of 16 for the small CNN; found {self.input_size}"
            )
        if self.roi == "none" and self.finder == "detector":
            raise ValueError(
                "finder fixed with roi none: the detector learns from the rule's boxes"
            )
        if self.roi == "none":
            return self
        if len(self.roi) != 4 or self.roi[0] >= self.roi[2] or self.roi[1] >= self.roi[3]:
            raise ValueError(f"roi [back, top, front, bottom] or none; found {self.roi}")
        return self


class CvmTrain(WarmupCosine, Affine, Photometric):
    """How it is trained: moved and lit as the landmark task's films are, and evened out by class."""

    focal_gamma: float = Field(
        ge=0, le=10, description="the focal loss's gamma; 0 is cross-entropy"
    )
    balance: Literal["none", "weights", "sampler"]
    degrees: float = Field(ge=0, le=45, description="degrees to either side")


class CvmParams(TaskParams):
    """The section `ceph-cvm`."""

    model: CvmModel
    train: CvmTrain

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if self.model.head == "ordinal" and self.train.focal_gamma:
            raise ValueError(
                f"train.focal_gamma 0 with an ordinal head; found {self.train.focal_gamma:g}"
            )
        return self
