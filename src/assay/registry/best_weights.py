"""`assay weights --best`: first weights of a fusion, from the best trainings of its single views' tasks.

Ranked by each task's own epoch rule, on rows that validated; nothing here is read of a test set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import AssayError
from assay.jobs.store import JobStore
from assay.lookup import find_task
from assay.manifest.layout import Layout
from assay.manifest.table import read_table
from assay.registry.first_weights import place_state
from assay.runs.files import file_digest, read_json
from assay.runs.record import RECORD, WEIGHTS
from assay.runs.start import view_file

if TYPE_CHECKING:
    from assay.contract.task import Task
    from assay.registry.first_weights import Placed


@dataclass(frozen=True)
class FinishedTraining:
    """A finished training of a task on the split at hand.

    Attributes:
        key: of its job.
        backbone: by timm's name.
        fold: that validated.
        chosen: metrics of the epoch that counts, on the rows of that fold.
        weights: the file.
    """

    key: str
    backbone: str
    fold: int
    chosen: Mapping[str, float]
    weights: Path


@dataclass(frozen=True)
class BackboneRanking:
    """The best training of each backbone of a task, best first.

    Attributes:
        task: whose.
        view: what its task is called within its system; a fusion has a list of backbones of that name.
        fold: whose rows all were scored on.
        listed: those that were asked for.
        backbones: how many were compared.
        trainings: of how many.
    """

    task: Task
    view: str
    fold: int
    listed: Sequence[FinishedTraining]
    backbones: int
    trainings: int


def rank_backbones(root: Path, name: str, count: int) -> BackboneRanking:
    """Return the `count` best backbones of a task, by the best training of each; fewer, where fewer are.

    Of several folds that one counts which most backbones were scored on: two folds are other rows.

    Raises:
        AssayError: no training of the task on this split is finished.
    """
    task, found = find_task(name), {each.key: each for each in _candidates(root, name)}
    by_fold: dict[int, list[FinishedTraining]] = {}
    for each in found.values():
        by_fold.setdefault(each.fold, []).append(each)
    if not by_fold:
        system = name.partition("-")[0]
        raise AssayError(
            f"assay weights --best, {name}", "no finished training of one fold on the split at hand",
            "a training a backbone",
            f"assay sweep {name} model.backbone $(cat recipes/{system}/backbones.txt)",
        )  # fmt: skip
    fold = max(by_fold, key=lambda each: (len({one.backbone for one in by_fold[each]}), -each))
    best: dict[str, FinishedTraining] = {}
    for each in sorted(by_fold[fold], key=lambda one: (*task.rank(one.chosen), one.key)):
        best.setdefault(each.backbone, each)
    view = name.partition("-")[2]
    listed = list(best.values())[:count]
    return BackboneRanking(task, view, fold, listed, len(best), len(by_fold[fold]))


def place_best(root: Path, task: str, ranking: BackboneRanking) -> list[Placed]:
    """Put what is listed into `models/start/<task>/<view>-<backbone>.safetensors`, with a note each."""
    from safetensors.torch import load_file

    compared = {
        "backbones": ranking.backbones, "trainings": ranking.trainings, "fold": ranking.fold
    }  # fmt: skip
    return [
        place_state(
            root, task, Path(view_file(ranking.view, each.backbone)).stem, load_file(each.weights),
            {"task": ranking.task.name, "job": each.key, "md5": file_digest(each.weights),
             "chosen": dict(each.chosen), "rank": place, "compared": compared},
        )
        for place, each in enumerate(ranking.listed, start=1)
    ]  # fmt: skip


def ensure_taken(content: Mapping[str, Any], task: str, names: Sequence[str]) -> None:
    """Refuse a task whose section has no list of backbones for each of these tasks.

    Raises:
        AssayError: with the lists that it has.
    """
    model = content[task]["model"]
    lists = [key for key, value in model.items() if isinstance(value, list)]
    for name in names:
        find_task(name)
        view = name.partition("-")[2]
        if view not in lists or name == task:
            raise AssayError(
                f"assay weights {task} --best, {name}", f"{task}.model has no list {view!r}",
                f"tasks whose names end in one of {', '.join(lists) or 'none'}",
                "assay weights <a fusion> --best 5 <task of one view> …",
            )  # fmt: skip


def _candidates(root: Path, name: str) -> Iterator[FinishedTraining]:
    """Yield what is finished, of this checkout's jobs and of the results that DVC's cache holds."""
    _, facts = read_table(
        root / Layout(find_task(name).data).trainval, f"split@{find_task(name).data}"
    )
    for record, weights in (*_jobs(root, name), *_results(root, name)):
        own, digest = record["params"][name], facts["split_digest"]
        model, fold = own["model"], own["train"]["fold"]
        if (
            "backbone" in model
            and isinstance(fold, int)
            and record["data"]["split_digest"] == digest
        ):
            yield FinishedTraining(
                record["key"], model["backbone"], fold, record["chosen"], weights
            )


def _jobs(root: Path, name: str) -> Iterator[tuple[dict[str, Any], Path]]:
    store = JobStore(root)
    for job in store.jobs():
        folder = store.result(job) if job.task == name else None
        if folder and (folder / WEIGHTS).exists():
            yield read_json(folder / RECORD), folder / WEIGHTS


def _results(root: Path, name: str) -> Iterator[tuple[dict[str, Any], Path]]:
    from assay.tracking.entries import iter_lock_entries
    from assay.tracking.results import DvcCache, join_results

    cache = DvcCache(root)
    for result in join_results(iter_lock_entries(root)):
        if result.task == name:
            record = cache.path(result.record)
            weights = cache.path(result.outs[f"models/{name}/{WEIGHTS}"])
            if record and weights:
                yield read_json(record), weights
