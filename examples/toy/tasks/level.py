"""Task `toy-level`: grey square → level, by a network of one layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from assay.contract.score import Score
from assay.sections.section import Section
from assay.sections.task import TaskParams, WarmupCosine
from assay.tasks.values import ValueTask

if TYPE_CHECKING:
    from assay.systems.toy.tasks.networks import LevelLearner


class Model(Section):
    """The network."""

    channels: int = Field(ge=1)


class LevelParams(TaskParams):
    """The section `toy-level`."""

    model: Model
    train: WarmupCosine


class Level(ValueTask[LevelParams]):
    """How bright a square is, from 0 to 1."""

    name = "toy-level"
    short = "level"
    data = "toy"
    params = LevelParams
    headline = Score("mae", digits=3)
    column = "level"
    limits = (0.0, 1.0)
    within = (0.1,)

    def learner(self, params: LevelParams) -> LevelLearner:
        """Return one layer, and how it learns."""
        from assay.systems.toy.tasks.networks import LevelLearner

        return LevelLearner(self, params)


LEVEL = Level()
