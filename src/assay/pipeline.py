"""Pipelines: trained tasks that read a photograph together, from its file to names.

What a system may offer beyond the contract. `assay.systems.<system>.pipelines` holds `PIPELINES`,
found by name; it stands apart from the tasks, so that another way of putting them together makes no
training stale. A pipeline trains nothing and is not registered: it is made of its tasks' weights, each
with the parameters that its own record states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import Field

from assay.errors import AssayError
from assay.lookup import find_item, find_task, list_items, places_in, system_of
from assay.runs.files import read_json
from assay.runs.record import RECORD, WEIGHTS
from assay.sections.section import Section
from assay.sections.task import Evaluate
from assay.values import declared_part

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from assay.contract.score import Score
    from assay.manifest.images import Opened
    from assay.manifest.rows import Rows

    Reader = Callable[[Opened], "Sequence[Named]"]


class Use(Section):
    """How a photograph is read, in evaluation and by `assay predict`."""

    conf: float = Field(ge=0, lt=1, description="score of a box from which it counts as found")


class PipelineParams(Section):
    """The section of a pipeline."""

    use: Use
    evaluate: Evaluate


@dataclass(frozen=True)
class Named:
    """One thing on a photograph, and what it is.

    Attributes:
        code: of the class.
        name: in words, or empty where no label at hand says it.
        chance: probability of the class.
        box: x, y, width, height in px of the upright photograph; None: the photograph as a whole.
        score: of the box.
    """

    code: str
    name: str
    chance: float
    box: tuple[float, float, float, float] | None = None
    score: float | None = None


@dataclass(frozen=True)
class TrainedModel:
    """A trained task: its weights, the parameters that it was trained with, its record."""

    weights: Path
    params: Any
    record: Mapping[str, Any]


class Pipeline(Protocol):
    """Several tasks on one set of data, as they are used together."""

    name: str
    data: str
    modes: Mapping[str, Sequence[str]]  # mode → tasks that it asks; the first is the default
    finding: Sequence[str]  # modes that look for things on the photograph, and so heed `use.conf`
    headline: Score

    @property
    def params(self) -> type[PipelineParams]:
        """Return the model of the section in `params.yaml`."""
        ...

    def ensure_fits(self, own: Any, models: Mapping[str, TrainedModel]) -> None:
        """Refuse parameters that these models cannot follow.

        Raises:
            AssayError: with the command that mends it.
        """
        ...

    def remark(self, mode: str, models: Mapping[str, TrainedModel]) -> str:
        """Return what a person should know of these models in this mode, or an empty text."""
        ...

    def evaluate(
        self, models: Mapping[str, TrainedModel], train: Rows, valid: Rows, own: Any, folder: Path
    ) -> dict[str, Any]:
        """Return the content of a `metrics.json`; leave `predictions.csv` and `pictures` in `folder`."""
        ...

    def reader(self, mode: str, models: Mapping[str, TrainedModel], own: Any, root: Path) -> Reader:
        """Return a function of a photograph, opened as the models' record says, to what is on it.

        Args:
            mode: one of `modes`.
            models: those that the mode asks.
            own: the section.
            root: the checkout, whose tables may say names in words.
        """
        ...

    def suited(self, mode: str, rows: Rows) -> npt.NDArray[np.bool_]:
        """Return which photographs a person would choose the mode for."""
        ...


def pipelines() -> dict[str, Pipeline]:
    """Return every pipeline by name."""
    return list_items("pipelines", "PIPELINES")


def find_pipeline(name: str) -> Pipeline:
    """Return a pipeline by its own name, or by its data's; imports no other system."""
    for own in places_in(system_of(name), "pipelines", "PIPELINES"):
        each: Pipeline = find_item(own, "pipelines", "PIPELINES")
        if name in (each.name, each.data):
            return each
    offered = ", ".join(each.data for each in pipelines().values())
    raise AssayError(name, "nothing is composed of its tasks", f"one of {offered}")


def tasks_of(pipeline: Pipeline) -> list[str]:
    """Return the tasks that any mode asks."""
    return list(dict.fromkeys(task for asked in pipeline.modes.values() for task in asked))


def read_models(tasks: Iterable[str], folder: Path = Path("models")) -> dict[str, TrainedModel]:
    """Return the trained tasks by name; parameters are those of their records.

    Raises:
        AssayError: one is not there.
    """
    found = {}
    for name in tasks:
        weights, record = folder / name / WEIGHTS, folder / name / RECORD
        for path in (weights, record):
            if not path.exists():
                raise AssayError(str(path), "no such file", mend=f"dvc repro train@{name}")
        told = read_json(record)
        params = declared_part(told["params"], name, find_task(name).params)
        found[name] = TrainedModel(weights, params, told)
    return found


def one_fold(name: str, models: Mapping[str, TrainedModel], facts: Mapping[str, Any]) -> int:
    """Return the fold that validates all of the models: none of them was trained on its rows.

    Args:
        name: of the pipeline.
        models: its tasks'.
        facts: of the rows at hand.

    Raises:
        AssayError: they validate different folds, or were trained on another split than that at hand.
    """
    stale = [
        task for task, model in models.items()
        if model.record["data"]["split_digest"] != facts["split_digest"]
    ]  # fmt: skip
    if stale:
        raise AssayError(
            name, f"{', '.join(stale)}: trained on another split than that of the data at hand",
            "one split", "dvc repro " + " ".join(f"train@{task}" for task in stale),
        )  # fmt: skip
    folds = {task: model.params.train.fold for task, model in models.items()}
    first = next(iter(folds.values()))
    if set(folds.values()) != {first}:
        told = ", ".join(f"{task} {fold}" for task, fold in folds.items())
        asked = " ".join(f"-S {task}.train.fold={first}" for task in folds)
        raise AssayError(
            name, f"different folds validate: {told}",
            "one, whose rows no task was trained on", f"dvc exp run {asked}",
        )  # fmt: skip
    return int(first)


def seen_as(name: str, models: Mapping[str, TrainedModel]) -> tuple[int, str]:
    """Return the side of stored images and how a photograph becomes one, as all models saw them.

    Raises:
        AssayError: they were trained on images of different sides.
    """
    seen = {task: (model.record["data"]["size"], model.record["data"]["fit"])
            for task, model in models.items()}  # fmt: skip
    if len(set(seen.values())) > 1:
        told = ", ".join(f"{task} {size} px, {fit}" for task, (size, fit) in seen.items())
        raise AssayError(
            name, f"trained on different stored images: {told}", "the same of all",
            "dvc repro " + " ".join(f"train@{task}" for task in seen),
        )  # fmt: skip
    return next(iter(seen.values()))
