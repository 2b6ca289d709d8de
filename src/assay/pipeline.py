"""Pipelines: trained tasks that read a photograph together, from its file to names.

What a system may offer beyond the contract. `assay.systems.<system>.pipelines` holds `PIPELINES`,
found by name; it stands apart from the tasks, so that another way of putting them together makes no
training stale. A pipeline trains nothing, and is scored, registered and served like a task: its files
are those of its tasks, each with the record that states its parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import Field

from assay.contract.bundle import Bundle, read_bundle
from assay.contract.scored import Scored
from assay.errors import AssayError
from assay.lookup import find_item, find_task, list_items, places_in, system_of
from assay.runs.files import file_digest, read_json
from assay.runs.record import RECORD
from assay.sections.section import Section
from assay.sections.task import ALL, ScoredParams
from assay.values import declared_part

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from assay.contract.scored import Floats
    from assay.manifest.images import Opened
    from assay.manifest.rows import Rows

    Reader = Callable[[Opened], "Sequence[Named]"]


class Use(Section):
    """How a photograph is read, in evaluation and by `assay predict`."""

    conf: float = Field(ge=0, lt=1, description="score of a box from which it counts as found")


class PipelineParams(ScoredParams):
    """The section of a pipeline."""

    use: Use


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
    """A trained task: its files and its record, and the parameters that it was trained with."""

    bundle: Bundle
    params: Any


class Pipeline(Scored, Protocol):
    """Several tasks on one set of data, as they are used together; `parts` are all that a mode asks.

    Attributes:
        modes: mode → tasks that it asks; the first is the default.
        finding: modes that look for things on the photograph, and so heed `use.conf`.
    """

    modes: Mapping[str, Sequence[str]]
    finding: Sequence[str]

    @property
    def params(self) -> type[PipelineParams]:
        """Return the model of the section in `params.yaml`."""
        ...

    def ensure_fits(
        self, own: Any, models: Mapping[str, TrainedModel], rows: Rows | None = None
    ) -> None:
        """Refuse parameters that these models cannot follow, or with which these rows cannot be scored.

        Raises:
            AssayError: with the command that mends it.
        """
        ...

    def remark(self, mode: str, models: Mapping[str, TrainedModel]) -> str:
        """Return what a person should know of these models in this mode, or an empty text."""
        ...

    def report(
        self, models: Mapping[str, TrainedModel], predictions: Floats, rows: Rows, folder: Path
    ) -> dict[str, Any]:
        """Leave `tables` and `pictures` in `folder`; return what else `scores.csv` says."""
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


def read_models(tasks: Iterable[str], folder: Path = Path("models")) -> dict[str, TrainedModel]:
    """Return the trained tasks by name; parameters are those of their records.

    Raises:
        AssayError: one is not there, or is not what its record lists.
    """
    found = {}
    for name in tasks:
        if fault := _fault(folder / name):
            raise AssayError(str(fault[0]), fault[1], mend=f"dvc repro train@{name}")
        found[name] = _trained(name, read_bundle(folder / name))
    return found


def _fault(folder: Path) -> tuple[Path, str] | None:
    """Return which file of a model is not as its record says, and what it is instead."""
    record = folder / RECORD
    listed = read_json(record).get("files") if record.exists() else None
    if not listed:
        return record, "lists no files" if record.exists() else "no such file"
    for name, digest in listed.items():
        path = folder / name
        if not path.exists():
            return path, "no such file"
        if file_digest(path) != digest:
            return path, f"another file than {record} lists"
    return None


def bundle_of(pipeline: Pipeline, folder: Path = Path("models")) -> Bundle:
    """Return a pipeline as its tasks lie in `folder`; of its record the digest of every file."""
    held = {task: read_json(folder / task / RECORD)["files"] for task in pipeline.parts}
    names = [f"{task}/{name}" for task, files in held.items() for name in (*files, RECORD)]
    files = {name: folder / name for name in names}
    digests = {name: file_digest(path) for name, path in files.items()}
    return Bundle(files, {"files": digests})


def models_in(pipeline: Pipeline, bundle: Bundle) -> dict[str, TrainedModel]:
    """Return the models that a pipeline's bundle holds, by task; of its fold, where it is of one."""
    found = {}
    for task in pipeline.parts:
        start = f"{task}/"
        own = {n.removeprefix(start): p for n, p in bundle.files.items() if n.startswith(start)}
        record = read_json(own.pop(RECORD))
        whole = Bundle(own, record)
        found[task] = _trained(task, whole if bundle.fold is None else whole.of_fold(bundle.fold))
    return found


def _trained(task: str, bundle: Bundle) -> TrainedModel:
    params = declared_part(bundle.record["params"], task, find_task(task).params)
    return TrainedModel(bundle, params)


def by_fold(models: Mapping[str, TrainedModel]) -> dict[int, dict[str, TrainedModel]]:
    """Return the models by the fold that validates them, of models that `ensure_one_split` let pass."""
    first = next(iter(models.values()))
    if first.params.train.fold != ALL:
        return {first.params.train.fold: dict(models)}
    return {
        fold: {
            task: replace(each, bundle=each.bundle.of_fold(fold)) for task, each in models.items()
        }
        for fold in first.bundle.record["model"]["folds"]
    }


def ensure_one_split(
    name: str, models: Mapping[str, TrainedModel], facts: Mapping[str, Any]
) -> None:
    """Refuse models that are not validated by the same fold, or all by each, of the split at hand.

    Args:
        name: of the pipeline.
        models: its tasks'.
        facts: of the rows at hand.

    Raises:
        AssayError: they validate different folds, or were trained on another split than that at hand.
    """
    stale = [
        task for task, model in models.items()
        if model.bundle.record["data"]["split_digest"] != facts["split_digest"]
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
            "one, whose rows no task was trained on, or all of each", f"dvc exp run {asked}",
        )  # fmt: skip


def seen_as(name: str, models: Mapping[str, TrainedModel]) -> tuple[int, str]:
    """Return the side of stored images and how a photograph becomes one, as all models saw them.

    Raises:
        AssayError: they were trained on images of different sides.
    """
    seen = {task: (model.bundle.record["data"]["size"], model.bundle.record["data"]["fit"])
            for task, model in models.items()}  # fmt: skip
    if len(set(seen.values())) > 1:
        told = ", ".join(f"{task} {size} px, {fit}" for task, (size, fit) in seen.items())
        raise AssayError(
            name, f"trained on different stored images: {told}", "the same of all",
            "dvc repro " + " ".join(f"train@{task}" for task in seen),
        )  # fmt: skip
    return next(iter(seen.values()))
