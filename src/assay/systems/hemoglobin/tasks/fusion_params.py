"""The section `hemoglobin-fusion` of `params.yaml`, and that of one training of its grid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, PlainValidator, model_validator

from assay.runs.start import view_file
from assay.sections.section import Section
from assay.sections.task import NONE, PRETRAINED, TaskParams, Train
from assay.systems.hemoglobin.ensemble.columns import version_of

KEEP_ALL = "all"  # weights
FOLD = "fold"  # the founding selection
LATE, LEVELS = 1, 2  # the phases: fusion of the last features, and of the last four maps


def _thawed(value: object) -> object:
    """Pass `none` or a rate; a union of types would be told as two faults with paths of its own."""
    if value == NONE or (type(value) in (int, float) and value > 0):  # type: ignore[operator]
        return value
    raise ValueError("none, or a rate above 0")


def _once(value: list[Any]) -> list[Any]:
    if len(set(value)) < len(value):
        raise ValueError("each once")
    return value


def _step(value: float) -> float:
    if not 0 < value <= 0.5 or abs(round(1 / value) * value - 1) > 1e-9:
        raise ValueError("a step that 1 is a whole number of, up to 0.5: 0.05, 0.1, 0.25")
    return value


Step = Annotated[float, AfterValidator(_step)]
Backbones = Annotated[list[str], Field(min_length=1), AfterValidator(_once)]
Phases = Annotated[list[Literal[1, 2]], Field(min_length=1), AfterValidator(_once)]
Thawed = Annotated[float | Literal["none"], PlainValidator(_thawed)]
Weights = Literal["none", "pretrained", "single"]


class Network(Section):
    """What both networks of a pair start from, and what is put on them."""

    weights: Weights = Field(
        description="none, pretrained (the hub's), or single: of single-modality trainings"
    )
    unfreeze: Literal[1, 2] = Field(description="last stages of a backbone that thaw")
    levels_width: int = Field(ge=1, description="phase 2: width that each of four maps is led to")
    hidden: list[int] = Field(min_length=1)
    dropout: float = Field(ge=0, lt=1)


class MemberModel(Network):
    """One configuration."""

    phase: Literal[1, 2]
    nail: str
    conjunctiva: str
    demographics: bool

    def weights_of(self, view: str, backbone: str) -> str:
        """Return the file below `models/start/<task>/` that a view's backbone starts from, or `none`."""
        files = {NONE: NONE, PRETRAINED: f"{backbone}.safetensors"}
        return files.get(self.weights, view_file(view, backbone))


class Select(Section):
    """Which configurations are finalists, and how the ensemble weighs them."""

    selection: Literal["out_of_fold", "fold"]
    weights: Literal["simplex", "inverse_mae"]
    step: Step = Field(description="of the simplex grid")
    singles: bool = Field(description="whether the best single-modality models are members too")
    keep: Literal["finalists", "all"] = Field(description="whose weights stay")


class GridModel(Network):
    """The grid: every nail backbone by every conjunctiva backbone, by phase, by version."""

    nail: Backbones
    conjunctiva: Backbones
    phases: Phases
    demographics: Literal["both", "with", "without"]
    select: Select


class PhaseTrain(Section):
    """What differs by phase: epochs and rates; without head_lr_thawed the head has one cosine."""

    epochs: int = Field(ge=1)
    frozen_epochs: int = Field(ge=0, description="epochs before the last stages thaw")
    head_warmup_epochs: int = Field(ge=0)
    head_lr: float = Field(gt=0)
    head_lr_thawed: Thawed = Field(
        description="rate that the head steps to when they thaw, or none"
    )
    head_lr_final: float = Field(ge=0)
    backbone_lr: float = Field(gt=0, description="of the last stages, when they thaw")
    backbone_lr_final: float = Field(ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not (self.head_warmup_epochs <= self.frozen_epochs < self.epochs):
            raise ValueError(
                f"head_warmup_epochs {self.head_warmup_epochs} up to frozen_epochs"
                f" {self.frozen_epochs}, below epochs {self.epochs}"
            )
        return self


class MemberTrain(PhaseTrain, Train):
    """How one training is done."""

    beta: float = Field(gt=0, description="g/dL")
    augment: list[Literal["hflip", "vflip", "crop", "tilt"]]
    stored_views: int = Field(
        ge=0, le=64, description="views of a photograph that are kept; 0: augmented anew each time"
    )
    small_batch_size: int = Field(ge=1, description="where one of these takes part")
    small_batch_backbones: list[str]


class GridTrain(MemberTrain):
    """How all of them are done: phase 1, and where phase 2 differs."""

    fold: Literal["all"]
    phase2: PhaseTrain


class MemberParams(TaskParams):
    """The section of one training of the grid."""

    model: MemberModel
    train: MemberTrain


class FusionParams(TaskParams):
    """The section of the task."""

    model: GridModel
    train: GridTrain


def configurations(section: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the section of each configuration by name, without its fold: pairs, phases, versions.

    Args:
        section: the task's own, plain values; of it `model` and `train` count.
    """
    model, train = section["model"], section["train"]
    shared = {name: model[name] for name in Network.model_fields}
    phase1 = {name: value for name, value in train.items() if name != "phase2"}
    trains = {LATE: phase1, LEVELS: {**phase1, **train["phase2"]}}
    versions = {"with": (True,), "without": (False,)}.get(model["demographics"], (True, False))
    models = [
        {**shared, "phase": phase, "nail": nail, "conjunctiva": conjunctiva, "demographics": version}
        for nail in model["nail"] for conjunctiva in model["conjunctiva"]
        for phase in model["phases"] for version in versions
    ]  # fmt: skip
    return {
        name_of(own): {
            "model": own, "train": _fitting(trains[own["phase"]], own["nail"], own["conjunctiva"])
        }
        for own in models
    }  # fmt: skip


def name_of(model: Mapping[str, Any]) -> str:
    """Return e.g. `p1-convnext_tiny.in12k-resnetaa50d.sw_in12k-w_demo`, of one configuration's model."""
    version = version_of(model["demographics"])
    return f"p{model['phase']}-{model['nail']}-{model['conjunctiva']}-{version}"


def _fitting(train: dict[str, Any], *backbones: str) -> dict[str, Any]:
    """Return the section `train` with the batch that these backbones have room for."""
    small = train["small_batch_backbones"]
    if not any(name.partition(".")[0] in small for name in backbones):
        return train
    return {**train, "batch_size": min(train["batch_size"], train["small_batch_size"])}
