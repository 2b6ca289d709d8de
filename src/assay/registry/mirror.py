"""The mirror: MLflow's registered models and git's tags, brought up to what the ledger says.

Numbers agree because versions are made in order; where MLflow lacks one that the ledger has (deleted by
hand, another clone's), the task's registered model is built anew from the ledger and the DVC cache.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import RegistryError
from assay.registry.ledger import entries
from assay.registry.shelf import ABSENT, available, shelve
from assay.registry.versions import ALIASES, standing, tasks_in, versions
from assay.runs.files import content_digest
from assay.runs.git import git, must_git, objects_of
from assay.runs.lock import held
from assay.runs.places import named_lock
from assay.tracking.results import Cache
from assay.tracking.stamp import note, noted, state_of, until_stable
from assay.tracking.store import open_store
from assay.tracking.sync import sync

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from assay.registry.ledger import Entry
    from assay.registry.versions import Version

Stored = dict[int, "ModelVersion"]
PART = "models"  # of the store, as noted in its stamp


def mirror(root: Path, runs: Mapping[str, str]) -> list[str]:
    """Bring versions, aliases and tags up to the ledger; return what was done, in words.

    Args:
        root: the repository.
        runs: result → MLflow run, as a sync just found them.

    Raises:
        RegistryError: MLflow has a version that nobody registered here, in the way of one that was.
    """
    found = entries(root)
    if not found:
        return []
    with held(named_lock(root, "mirror"), "another process writes the registry"):
        wanted = _wanted(root, found, runs)
        before = state_of(root)
        lines: list[str] = []
        if noted(root, PART) != wanted:
            lines, state = until_stable(root, lambda: _bring_up(root, tasks_in(found), runs))
            note(root, PART, state, wanted)
    _mirror_tags(root)
    if before != state_of(root):
        sync(root)  # what it had noted was of the store as it was before
    return lines


def _wanted(root: Path, found: Sequence[Entry], runs: Mapping[str, str]) -> str:
    """Return a digest of all that decides what MLflow's registry should hold.

    It is the ledger, and which of its versions have a run, their commit and their weights here.
    """
    facts, cache = [entry.facts for entry in found], Cache(root)
    results, commits, weights = (
        list(dict.fromkeys(str(each[key]) for each in facts if each.get(key)))
        for key in ("result", "commit", "weights")
    )
    here = [
        [runs.get(result) for result in results],
        objects_of(root, [f"{commit}^{{commit}}" for commit in commits]),
        [cache.path(digest) is not None for digest in weights],
    ]
    return content_digest([[entry.commit for entry in found], here])


def _bring_up(root: Path, tasks: Sequence[str], runs: Mapping[str, str]) -> list[str]:
    client, lines = open_store(root), []
    for task in tasks:
        lines += _mirror_versions(client, root, task, runs)
        _mirror_aliases(client, root, task)
    return lines


def stored_versions(client: MlflowClient, task: str) -> Stored:
    """Return what MLflow has, by number."""
    return {int(each.version): each for each in client.search_model_versions(f"name='{task}'")}


def _mirror_versions(
    client: MlflowClient, root: Path, task: str, runs: Mapping[str, str]
) -> list[str]:
    known, lines = versions(root, task), []
    stored = stored_versions(client, task)
    if stored and not _agree(root, known, stored):
        _ensure_all_ours(task, stored)
        client.delete_registered_model(task)
        lines.append(f"{task}: MLflow's versions differed from the ledger's; built anew")
        stored = {}
    if any(_shelved(client, root, each, runs) for each in known if each.number not in stored):
        # Its number was given and deleted before, and MLflow gives none twice.
        client.delete_registered_model(task)
        lines.append(f"{task}: a version was deleted in MLflow; built anew")
        for version in known:
            _shelved(client, root, version, runs)
    return lines


def _shelved(client: MlflowClient, root: Path, version: Version, runs: Mapping[str, str]) -> bool:
    """Register a version; return whether MLflow called it by another number than the ledger."""
    return shelve(client, root, version, runs) != version.number


def _agree(root: Path, known: list[Version], stored: Stored) -> bool:
    """Whether what MLflow has is a beginning of what the ledger says, and nothing absent came back."""
    for version in known:
        has = stored.get(version.number)
        if has is None:
            if version.number < max(stored):
                return False
            continue
        came_back = has.tags.get(ABSENT) and available(root, version)
        if came_back or has.tags.get("result") != version.result:
            return False
    return True


def _ensure_all_ours(task: str, stored: Stored) -> None:
    foreign = [number for number, each in stored.items() if "result" not in each.tags]
    if foreign:
        raise RegistryError(
            f"{task} v{foreign[0]} in MLflow",
            "registered by hand, and in the way of the ledger's versions",
            "versions that assay registered",
            "delete it in MLflow, then: assay sync",
        )


def _mirror_aliases(client: MlflowClient, root: Path, task: str) -> None:
    wanted = standing(root, task).aliases()
    has = {
        alias: int(number) for alias, number in client.get_registered_model(task).aliases.items()
    }
    for alias in ALIASES:
        if alias in has and alias not in wanted:
            client.delete_registered_model_alias(task, alias)
        elif alias in wanted and has.get(alias) != wanted[alias]:
            client.set_registered_model_alias(task, alias, str(wanted[alias]))


def _mirror_tags(root: Path) -> None:
    """Pin the commit of each version by a tag, so that garbage collection of git and DVC spares it.

    A version whose commit this clone lacks has none. Plain tags are the same in every clone.
    """
    known = git(root, "tag", "-l").splitlines()
    for task in tasks_in(entries(root)):
        for version in versions(root, task):
            if version.tag not in known and git(root, "cat-file", "-t", version.commit) == "commit":
                must_git(root, "update-ref", f"refs/tags/{version.tag}", version.commit)
