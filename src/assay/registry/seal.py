"""The seal: the one place that predicts and scores test rows; the ledger is written before they are read.

A version is looked at once: its scores stand in the ledger and are used again. A look that was killed
after the ledger's entry, and so perhaps after the reading, is a used look. The budget counts the looks of
all tasks and versions at one test set. The look reports; nothing is chosen or gated by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from assay.contract.task_rows import recorded_rows
from assay.errors import RegistryError
from assay.learning.scoring import score
from assay.lookup import find_scored, find_system
from assay.manifest.arrays import open_raw
from assay.manifest.layout import Layout
from assay.manifest.parts import read_rows
from assay.manifest.storage import RecordStorage, read_storage
from assay.manifest.table import read_table
from assay.params import read_params
from assay.registry.commit_artifacts import CommitArtifacts
from assay.registry.ledger import append, entries, is_cut
from assay.registry.predictions import predict_with
from assay.runs.files import read_json
from assay.runs.lock import held
from assay.runs.places import named_lock
from assay.runs.record import RECORD
from assay.sections.task import ALL
from assay.value_faults import PARAMS_FILE
from assay.values import typed

if TYPE_CHECKING:
    from assay.manifest.rows import Rows
    from assay.registry.ledger import Entry
    from assay.registry.versions import Version

LOOK, SCORES = "look", "scores"


@dataclass(frozen=True)
class Budget:
    """The looks at one test set: how many were used, of how many."""

    used: int
    looks: int

    @property
    def is_spent(self) -> bool:
        return self.used >= self.looks


@dataclass(frozen=True)
class Look:
    """What a look found.

    Attributes:
        number: of the look among those at this test set, counted from 1.
        budget: how many there may be.
        scores: as `runs.scores` keeps them, of the test rows.
        group_kind: what its groups are.
        is_new: whether the test set was opened now.
    """

    number: int
    budget: int
    scores: Mapping[str, Any]
    group_kind: str
    is_new: bool


def budget_of(root: Path, version: Version) -> Budget:
    """Return what is left of the budget of the version's test set; only facts of its split are read."""
    task = find_scored(version.task)
    data = typed(read_params(root / PARAMS_FILE), task.data, find_system(task.data).params)
    return Budget(len(_looks_at(root, _data_facts(root, version))), data.seal.looks)


def known_look(root: Path, version: Version) -> Look | None:
    """Return the version's look where there was one and its scores are known."""
    for entry in entries(root):
        if entry.kind == SCORES and entry.facts.get("result") == version.result:
            return _known(entry.facts)
    return None


def look(root: Path, version: Version, reason: str) -> Look:
    """Open the seal for one version, once; return its scores on the test rows.

    Args:
        root: the repository.
        version: what is looked at; its own commit's test set and code are used.
        reason: for the ledger.

    Raises:
        RegistryError: the budget is spent, the split has no test set, its files are not in this clone's
            cache, or the ledger was cut back; no look was used.
    """
    found = known_look(root, version)
    if found is not None:
        return found
    _ensure_here(root, version)
    name = find_scored(version.task).data
    with held(named_lock(root, f"seal-{name}"), "another look is taken; waiting"):
        opened = _enter(root, version, reason)
    scores = _score_sealed_rows(root, version)
    facts = {**opened.facts, "look": opened.commit, "scores": scores}
    append(root, SCORES, f"scores of {version.tag}", facts)
    return replace(_known(facts), is_new=True)


def _known(facts: Mapping[str, Any]) -> Look:
    return Look(
        facts["number"], facts["budget"], facts["scores"], facts["group_kind"], is_new=False
    )


def _enter(root: Path, version: Version, reason: str) -> Entry:
    """Write the look into the ledger, if there is one left."""
    data, budget = _data_facts(root, version), budget_of(root, version)
    _ensure_may_look(root, version, budget)
    facts = {
        "task": version.task,
        "version": version.number,
        "result": version.result,
        "files": dict(version.files),
        "commit": version.commit,
        "split_digest": data["split_digest"],
        "test_digest": data["test_digest"],
        "group_kind": data["group_kind"],
        "number": budget.used + 1,
        "budget": budget.looks,
        "reason": reason,
    }
    said = f"look {budget.used + 1} of {budget.looks} · {version.tag} · {reason}"
    return append(root, LOOK, said, facts)


def _ensure_here(root: Path, version: Version) -> None:
    """Refuse where a file that the look reads is not in this cache: that must not use up a look."""
    pinned, layout = CommitArtifacts(root, version.commit), Layout(find_scored(version.task).data)
    for path in (layout.sealed, layout.sealed_pixels, layout.trainval, layout.trainval_pixels):
        pinned.file(path)
    _, facts = read_table(pinned.file(layout.trainval), f"split@{layout.name}")
    storage = read_storage(facts, layout.name, "split")
    if isinstance(storage, RecordStorage):
        open_raw(root, storage)


def _ensure_may_look(root: Path, version: Version, budget: Budget) -> None:
    if is_cut(root):
        raise RegistryError(
            "assay/ledger", "the branch lost entries that it had", mend="assay doctor"
        )
    if budget.is_spent:
        name = find_scored(version.task).data
        raise RegistryError(
            f"test set of {name}",
            f"{budget.used} of {budget.looks} looks are used",
            "a look left: each one makes the next worth less",
            f"a new split (dvc exp run -S {name}.split.seed=…), or, stated in git, {name}.seal.looks",
        )


def _looks_at(root: Path, data: Mapping[str, Any]) -> list[Entry]:
    """Return the looks at these test rows, also where the rest was cut into other folds."""
    asked_of = data["test_digest"]
    return [e for e in entries(root) if e.kind == LOOK and e.facts.get("test_digest") == asked_of]


def _data_facts(root: Path, version: Version) -> Mapping[str, Any]:
    """Return the facts of the version's split, from its record: no test row is read for them."""
    record = read_json(
        CommitArtifacts(root, version.commit).file(f"models/{version.task}/{RECORD}")
    )
    data: Mapping[str, Any] = record["data"]
    if data["test"] == "none":
        raise RegistryError(
            version.tag,
            "its split has no test set",
            "split.test above 0",
            "a new split and training",
        )
    return data


def _score_sealed_rows(root: Path, version: Version) -> dict[str, Any]:
    """Predict and score the test rows of the version's own commit."""
    pinned, task = CommitArtifacts(root, version.commit), find_scored(version.task)
    record = read_json(pinned.file(f"models/{task.name}/{RECORD}"))
    how = typed(read_params(root / PARAMS_FILE), task.name, task.params).evaluate
    layout = Layout(task.data)
    table, facts = read_table(pinned.file(layout.sealed), f"split@{task.data}")
    known, _ = read_table(pinned.file(layout.trainval), f"split@{task.data}")
    storage = read_storage(facts, task.data, "split")
    asked, whole = (
        read_rows(pinned.file(path), part, storage, root)
        for path, part in ((layout.sealed_pixels, table), (layout.trainval_pixels, known))
    )
    sealed, learned = (
        recorded_rows(task, rows, record["params"])
        for rows in (asked, whole.where(_learned(whole, record)))
    )
    baseline = task.baseline(_labels(learned), sealed)
    # As they are: the look is entered, and what is no number of one row must not cost a second one.
    predictions = predict_with(root, version, asked, record["model"])
    labels = task.labels(sealed)
    return score(task, predictions, baseline, labels, sealed.columns["group_id"], how)


def _learned(rows: Rows, record: Mapping[str, Any]) -> npt.NDArray[np.bool_]:
    """Return which rows were trained on: all but the fold that validated, and where all did, all."""
    sections = record["params"].values()
    fold = next(each["train"]["fold"] for each in sections if "train" in each)
    folds = rows.columns["fold"]
    return np.ones(len(rows), dtype=bool) if fold == ALL else folds != int(fold)


def _labels(rows: Rows) -> Rows:
    """Return rows for the trivial predictor, which reads labels alone: the images stay where they are."""
    return replace(
        rows, images=dict.fromkeys(rows.images, np.zeros((len(rows), 1, 1, 3), np.uint8))
    )
