"""A task that is many trainings: each configuration of a grid on each fold; some are made one model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from pathlib import Path

    from assay.contract.scored import Floats
    from assay.contract.task import Task
    from assay.manifest.rows import Rows
    from assay.sections.machine import Runtime

Sections = Mapping[str, Mapping[str, Any]]  # configuration → its own (`model`, `train`)
Results = Mapping[tuple[str, int], "Path"]  # configuration, fold → the folder of its job's result


@dataclass(frozen=True)
class GridRun:
    """What a stage `train` hands to a task that is a grid.

    Attributes:
        root: the repository.
        section: the task's own, as declared.
        declared: all that the stage declared.
        inputs: path → digest of what it reads.
        key: of the stage.
        runtime: what changes no byte.
        is_known: whether a proof is asked for: trainings have a store of their own then.
    """

    root: Path
    section: Mapping[str, Any]
    declared: Mapping[str, Any]
    inputs: Mapping[str, str]
    key: str
    runtime: Runtime
    is_known: bool = False


@dataclass(frozen=True)
class Composed:
    """The model that is made of finalists.

    Attributes:
        chosen: its metrics out of fold.
        model: what `run.json` says of it beside what a model is handed.
        said: best → (n, outputs) of the rows, each by what was kept from its fold; and `last`, of the
            trainings' last epochs, which no row chose, where each member has one of its own fold.
        keeps_all: whether the weights of all other trainings stay.
    """

    chosen: Mapping[str, float]
    model: Mapping[str, Any]
    said: Mapping[str, Floats]
    keeps_all: bool


@dataclass(frozen=True)
class GridPlace:
    """Where a configuration stands in its grid.

    Attributes:
        pair: number of the networks that it fuses, in the order of the grid, from 0.
        phase: of the study, from 1.
    """

    pair: int
    phase: int


@runtime_checkable
class SupportsGrid(Protocol):
    """What a task may offer beyond its contract: many trainings, and a model that is made of some."""

    @property
    def member(self) -> Task:
        """Return the task that one of the trainings is."""
        ...

    def train_grid(self, run: GridRun) -> None:
        """Have all trainings done, and leave the model of the stage in `models/<task>/`."""
        ...

    def configurations(self, section: Mapping[str, Any]) -> Sections:
        """Return the section (`model`, `train`) of each configuration by name; fold by fold trained."""
        ...

    def places(self, section: Mapping[str, Any]) -> Mapping[str, GridPlace]:
        """Return where each configuration stands, in the grid's order."""
        ...

    def name_of(self, own: Mapping[str, Any]) -> str:
        """Return the name of a configuration by its section."""
        ...

    def one_epoch(self, own: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the section of a configuration with one epoch, in which all learns that ever does."""
        ...

    def judge(self, rows: Rows, sections: Sections, path: Path) -> None:
        """Write the preflight's verdict on the kinds of configurations to `path`.

        Raises:
            GateError: it refused one.
        """
        ...

    def prepare(self, rows: Rows, sections: Sections) -> None:
        """Make what the trainings of these configurations share, before the first."""
        ...

    def choose_trainings(
        self, results: Results, rows: Rows, section: Mapping[str, Any]
    ) -> Sequence[tuple[str, int]]:
        """Return the trainings whose weights the model is made of."""
        ...

    def compose(
        self, results: Results, rows: Rows, section: Mapping[str, Any], weights: Path
    ) -> Composed:
        """Write the model's weights, a part a fold, and return what else it is."""
        ...
