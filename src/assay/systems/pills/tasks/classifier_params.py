"""The section `pills-classifier` of `params.yaml`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from assay.sections.section import Section
from assay.sections.task import FirstWeights, TaskParams, WarmupCosine


class ClassifierModel(Section):
    """The network, and what of a photograph it sees."""

    backbone: str = Field(description="a timm model")
    weights: FirstWeights
    dropout: float = Field(ge=0, lt=1)
    view: Literal["pill", "photograph"] = Field(
        description="what a photograph with a single pill is cut to"
    )
    padding: float = Field(ge=0, le=1, description="around a box, share of its sides, each side")
    zoom: float = Field(
        1.0, ge=0, le=1, description="1: a box fills its cut; 0: the photograph's scale"
    )
    size: int = Field(ge=16, le=1024, description="side of a cut, px")
    input_size: int = Field(ge=16, le=1024, description="side of what the network sees of it, px")
    tta_rotations: Literal[1, 2, 4] = Field(
        1, description="of a cut, whose probabilities are averaged"
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.input_size > self.size:
            raise ValueError(f"input_size at most size {self.size}; found {self.input_size}")
        return self


class ClassifierTrain(WarmupCosine):
    """How it is trained, what an image may become, and how rare drugs are weighed."""

    scale: list[float] = Field(min_length=2, max_length=2, description="of the area, from, to")
    ratio: list[float] = Field(min_length=2, max_length=2, description="of the sides, from, to")
    fliplr: float = Field(ge=0, le=1, description="probability; it mirrors imprints")
    degrees: float = Field(ge=0, le=180, description="degrees to either side")
    color_jitter: list[float] = Field(
        min_length=4, max_length=4, description="brightness, contrast, saturation, hue"
    )
    color_jitter_cast: float = Field(
        0.0, ge=0, lt=1, description="of each colour's light, share to either side"
    )
    randaugment: int = Field(ge=0, le=8, description="operations an image; 0: none")
    magnitude: int = Field(ge=0, le=30, description="of RandAugment")
    autoaugment: bool = Field(description="the policy for ImageNet, in RandAugment's place")
    class_weights: Literal["none", "inv_freq", "effective_num"]
    smooth: float = Field(ge=0, description="of inv_freq: added to each count")
    beta: float = Field(ge=0, lt=1, description="of effective_num")
    balanced_sampler: bool = Field(description="every drug equally often, in the place of weights")
    drop_last: bool = Field(False, description="an epoch's last batch, where it is smaller")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        low, high = self.scale
        if not 0 < low <= high <= 1:
            raise ValueError(f"scale [low, high] within (0, 1]; found {list(self.scale)}")
        low, high = self.ratio
        if not 0 < low <= 1 <= high:
            raise ValueError(f"ratio [low, high] around 1; found {list(self.ratio)}")
        if not (
            min(self.color_jitter) >= 0
            and max(self.color_jitter[:3]) <= 1
            and self.color_jitter[3] <= 0.5
        ):
            raise ValueError(
                f"color_jitter three of 0–1, hue 0–0.5; found {list(self.color_jitter)}"
            )
        return self

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if self.balanced_sampler and self.class_weights != "none":
            raise ValueError(
                f"class_weights none with balanced_sampler: a rare drug that is shown more often and"
                f" weighs more counts twice; found {self.class_weights}"
            )
        if self.autoaugment and self.randaugment:
            raise ValueError(f"randaugment 0 with autoaugment; found {self.randaugment}")
        return self


class ClassifierParams(TaskParams):
    """The section `pills-classifier`."""

    model: ClassifierModel
    train: ClassifierTrain
