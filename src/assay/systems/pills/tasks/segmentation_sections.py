"""The section `pills-segmentation` of `params.yaml`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from assay.sections.section import Section
from assay.sections.task import FirstWeights, TaskParams, Train

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


class SegmentationTrain(Train):
    """How it is trained; image and mask are moved together."""

    warmup_epochs: int = Field(ge=0)
    lr: float = Field(gt=0)
    lr_final: float = Field(ge=0)
    dice: float = Field(ge=0, le=10, description="weight of Dice beside the cross-entropy")
    fliplr: float = Field(ge=0, le=1, description="chance of a horizontal flip")
    degrees: float = Field(ge=0, le=180, description="degrees to either side")
    scale: list[float] = Field(min_length=2, max_length=2, description="from, to")
    translate: float = Field(ge=0, le=0.3, description="share of the side")
    brightness: float = Field(ge=0, le=0.5)
    noise: float = Field(ge=0, le=0.2, description="share of white")
    prefetch_factor: int = Field(
        2, ge=1, le=64, description="batches each loader process keeps ready"
    )
    drop_last: bool = Field(False, description="an epoch's last batch, where it is smaller")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.warmup_epochs >= self.epochs:
            raise ValueError(f"warmup_epochs {self.warmup_epochs} below epochs {self.epochs}")
        low, high = self.scale
        if not 0.5 <= low <= 1 <= high <= 2:
            raise ValueError(f"scale [low, high] around 1; found {list(self.scale)}")
        return self


class SegmentationParams(TaskParams):
    """The section `pills-segmentation`."""

    model: SegmentationModel
    train: SegmentationTrain
