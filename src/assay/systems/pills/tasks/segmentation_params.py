"""The section `pills-segmentation` of `params.yaml`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from assay.sections.augmentation import Affine, Photometric
from assay.sections.section import Section
from assay.sections.task import FirstWeights, TaskParams, WarmupCosine

FINEST = 128  # cells along a side that are scored: each is an output of `predictions.parquet`


def cell(size: int) -> int:
    """Return the side of a scored cell, px: 2, or as many more as `FINEST` asks of `size` px."""
    side = 2
    while size // side > FINEST:
        side *= 2
    return side


class SegmentationModel(Section):
    """The network, and how fine it speaks."""

    network: Literal["small_unet", "timm_unet"]
    backbone: str = Field(description="a timm model; the small U-Net has none")
    weights: FirstWeights
    stride: Literal[2, 4, 8] = Field(description="stored px a cell of the map, along each side")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.network == "small_unet" and self.weights == "pretrained":
            raise ValueError("weights none or a file: nobody publishes any of the small U-Net")
        return self


class SegmentationTrain(WarmupCosine, Affine, Photometric):
    """How it is trained; image and mask are moved together."""

    dice: float = Field(ge=0, le=10, description="weight of Dice beside the cross-entropy")
    fliplr: float = Field(ge=0, le=1, description="chance of a horizontal flip")
    drop_last: bool = Field(False, description="an epoch's last batch, where it is smaller")


class SegmentationParams(TaskParams):
    """The section `pills-segmentation`."""

    model: SegmentationModel
    train: SegmentationTrain
