"""The section `ceph-landmarks` of `params.yaml`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from assay.sections.augmentation import Affine, Photometric
from assay.sections.section import Section
from assay.sections.task import FirstWeights, TaskParams, WarmupCosine


class Model(Section):
    """The network, and how it speaks of points."""

    network: Literal["small_unet", "timm_unet", "simple_baseline", "coordinates"]
    backbone: str = Field(description="a timm model; the small U-Net has none")
    weights: FirstWeights
    stride: int = Field(ge=1, le=32, description="stored px per heatmap px")
    sigma: float = Field(gt=0, description="of the Gaussian, heatmap px")
    decoder: Literal["argmax", "soft", "dark"]
    logits: bool = Field(description="cross-entropy over the pixels instead of squared error")
    stages: bool = Field(
        default=False, description="the CVM stage beside the points; of coordinates alone"
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.network == "small_unet" and self.weights == "pretrained":
            raise ValueError("weights none or a file: nobody publishes any of the small U-Net")
        if self.stages and self.network != "coordinates":
            raise ValueError(f"stages with network coordinates alone; found {self.network}")
        return self


class LandmarkTrain(WarmupCosine, Affine, Photometric):
    """How it is trained."""

    freeze_epochs: int = Field(ge=0, description="in which the backbone stands still")
    backbone_lr: float = Field(gt=0, description="the backbone's peak; it falls as lr does")
    unfreeze: Literal["all", "top"] = Field("all", description="what of the backbone ever learns")
    degrees: float = Field(ge=0, le=45, description="degrees to either side")
    elastic: float = Field(ge=0, le=0.1, description="share of the side; 0 is none")
    cvm_loss_weight: float = Field(
        default=10.0, gt=0, description="of the stage's loss; read with stages alone"
    )

    @model_validator(mode="after")
    def _warm(self) -> Self:
        if self.freeze_epochs + self.warmup_epochs >= self.epochs:
            early = f"freeze_epochs {self.freeze_epochs} + " if self.freeze_epochs else ""
            raise ValueError(
                f"{early}warmup_epochs {self.warmup_epochs} below epochs {self.epochs}"
            )
        return self


class LandmarkParams(TaskParams):
    """The section `ceph-landmarks`."""

    model: Model
    train: LandmarkTrain
