"""The section `spectra-bayer` of `params.yaml`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from assay.sections.section import Section
from assay.sections.task import TaskParams, Train
from assay.systems.spectra.learning.losses import LOSSES
from assay.systems.spectra.learning.networks import NETWORKS


class Model(Section):
    """The network; see `learning.spectra.design`."""

    network: str = Field(description="by its name in the registry of networks")
    input_size: int = Field(ge=8, le=1024, description="side of what the network sees, px")
    stem: int = Field(ge=1, description="channels")
    stages: list[int] = Field(min_length=1, description="channels of each, stride 2")
    blocks: int = Field(ge=1, description="residual blocks a stage")
    padding: Literal["circular", "zeros"]
    memory: Literal["pooled", "tokens"]
    position: Literal["none", "quadrant"]
    width: int = Field(ge=2, multiple_of=2, description="of the decoder")
    heads: int = Field(ge=1)
    layers: int = Field(ge=1)
    dropout_cnn: float = Field(ge=0, lt=1)
    dropout_decoder: float = Field(ge=0, lt=1)
    dropout_head: float = Field(ge=0, lt=1)

    @field_validator("network")
    @classmethod
    def _known(cls, name: str) -> str:
        return _one_of(name, NETWORKS)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.network == "cnn_gru" and self.memory != "pooled":
            raise ValueError(f"memory pooled with cnn_gru; found {self.memory}")
        if self.width % self.heads:
            raise ValueError(f"a width that {self.heads} heads divide; found {self.width}")
        if self.input_size % self.stride:
            raise ValueError(
                f"an input_size that the stem and {len(self.stages)} stages divide, {self.stride};"
                f" found {self.input_size}"
            )
        return self

    @property
    def stride(self) -> int:
        """Return the pixels of the input per cell of the last map."""
        return 2 << len(self.stages)


class BayerTrain(Train):
    """How it is trained."""

    warmup_share: float = Field(ge=0, lt=1, description="of the epochs")
    lr: float = Field(gt=0)
    lr_final: float = Field(ge=0)
    loss: str = Field(description="by its name in the registry of losses")
    w_mse: float = Field(ge=0)
    w_corr: float = Field(ge=0, description="read with mse_pearson")
    w_smooth: float = Field(ge=0, description="read with weighted_smooth")
    symmetry: Literal["none", "rot180", "shift8", "full32"]
    average: bool = Field(description="predictions averaged over the maps of `symmetry`")

    @field_validator("loss")
    @classmethod
    def _known(cls, name: str) -> str:
        return _one_of(name, LOSSES)


class BayerParams(TaskParams):
    """The section `spectra-bayer`."""

    model: Model
    train: BayerTrain


def _one_of(name: str, known: Collection[str]) -> str:
    if name not in known:
        raise ValueError(f"one of {', '.join(known)}; found {name}")
    return name
