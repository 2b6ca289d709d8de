"""The section `pills-detector` of `params.yaml`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from assay.sections.section import Section
from assay.sections.task import TaskParams, Train

STRIDE = 32  # of the coarsest of YOLO11's three maps, px


class DetectorModel(Section):
    """The network, what it tells apart, and which of its boxes are kept."""

    size: Literal["n", "s", "m", "l", "x"] = Field(description="of YOLO11")
    classes: Literal["pill", "form", "drug"] = Field(
        description="one class, or the class table's dosage forms or drugs, as many as the rows name"
    )
    imgsz: int = Field(ge=64, le=2048, description="side of what the network sees, px")
    max_det: int = Field(ge=1, le=100, description="boxes of a photograph, at most")
    conf: float = Field(ge=0, lt=1, description="score below which no box is kept")
    iou: float = Field(gt=0, lt=1, description="overlap above which the less sure box is dropped")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.imgsz % STRIDE:
            raise ValueError(f"imgsz a multiple of {STRIDE}; found {self.imgsz}")
        return self


class DetectorTrain(Train):
    """How it is trained: ultralytics' own loop, optimiser and augmentation."""

    warmup_epochs: float = Field(ge=0, description="epochs")
    optimizer: Literal["SGD", "AdamW"]
    lr: float = Field(gt=0)
    lr_final: float = Field(ge=0)
    schedule: Literal["linear", "cosine"]
    momentum: float = Field(ge=0, lt=1, description="of SGD; AdamW's first beta")
    mosaic: float = Field(ge=0, le=1, description="probability")
    close_mosaic: int = Field(ge=0, description="last epochs without mosaic and mixup")
    mixup: float = Field(ge=0, le=1, description="probability")
    scale: float = Field(ge=0, lt=1, description="to either side of 1")
    degrees: float = Field(ge=0, le=180, description="degrees to either side")
    translate: float = Field(ge=0, le=0.5, description="share of the side")
    fliplr: float = Field(ge=0, le=1, description="probability, left to right")
    flipud: float = Field(ge=0, le=1, description="probability, upside down")
    hsv_h: float = Field(ge=0, le=1)
    hsv_s: float = Field(ge=0, le=1)
    hsv_v: float = Field(ge=0, le=1)
    num_workers: int = Field(
        ge=0, description="loader processes; they augment, and so are part of the result"
    )
    bn_momentum: float = Field(gt=0, le=1, description="of batch norm's running means")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.warmup_epochs >= self.epochs:
            raise ValueError(f"warmup_epochs {self.warmup_epochs:g} below epochs {self.epochs}")
        if self.plateau_patience != "none":
            raise ValueError("plateau_patience none: ultralytics' schedule is linear or cosine")
        if self.precision == "16-mixed":
            raise ValueError(
                "precision 32-true or bf16-mixed: for 16-mixed ultralytics downloads a network"
            )
        return self


class DetectorParams(TaskParams):
    """The section `pills-detector`."""

    model: DetectorModel
    train: DetectorTrain
