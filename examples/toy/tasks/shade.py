"""Task `toy-shade`: grey square → dark, middle or light, by a network of one layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from assay.contract.score import Score
from assay.sections.section import Section
from assay.sections.task import TaskParams, WarmupCosine
from assay.tasks.classes import ClassTask

if TYPE_CHECKING:
    from assay.systems.toy.tasks.networks import ShadeLearner


class Model(Section):
    """The network."""

    channels: int = Field(ge=1)


class ShadeParams(TaskParams):
    """The section `toy-shade`."""

    model: Model
    train: WarmupCosine


class Shade(ClassTask[ShadeParams]):
    """Which third of the levels a square is of."""

    name = "toy-shade"
    short = "shade"
    data = "toy"
    params = ShadeParams
    headline = Score("macro_f1", best=1.0, trivial="commonest shade")
    column = "shade"
    classes = ("dark", "middle", "light")

    def learner(self, params: ShadeParams) -> ShadeLearner:
        """Return one layer, and how it learns."""
        from assay.systems.toy.tasks.networks import ShadeLearner

        return ShadeLearner(self, params)


SHADE = Shade()
