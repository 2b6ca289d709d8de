"""One task's registered model in MLflow, brought up to the ledger: versions, numbers, files, aliases.

Numbers agree because versions are made in order. MLflow changes no version's files and gives no number
twice: where a version is not what the ledger says, the registered model is built anew from the ledger and
the DVC cache. What somebody registered by hand stays in the old one, under the name `<task>-by-hand`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assay.registry.ledger import entries
from assay.registry.mlflow_version import ABSENT, available, has_files, log_version
from assay.registry.versions import ALIASES, PROMOTION, current_aliases

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from assay.registry.versions import Version

RESULT = "result"  # a version without this tag is none of ours


def bring_up_model(
    client: MlflowClient, root: Path, known: Sequence[Version], runs: Mapping[str, str]
) -> list[str]:
    """Bring a registered model up to the ledger; return what was not so, a line each.

    Args:
        client: of the store.
        root: the repository.
        known: the task's versions, as the ledger has them; at least one.
        runs: result → MLflow run.
    """
    task = known[0].task
    stored = client.search_model_versions(f"name='{task}'", order_by=["version_number ASC"])
    before = _aliases(client, task)
    lines = _bring_up_versions(client, root, known, stored, runs)
    _set_aliases(client, root, known, before)
    return lines + (list(_moved(root, known, before)) if stored else [])


def _bring_up_versions(
    client: MlflowClient,
    root: Path,
    known: Sequence[Version],
    stored: Sequence[ModelVersion],
    runs: Mapping[str, str],
) -> list[str]:
    task, numbers = known[0].task, {int(each.version) for each in stored}
    faults = {int(each.version): _fault(client, root, known, each) for each in stored}
    lines = [f"{task} v{number} in MLflow: {said}" for number, said in faults.items() if said]
    if lines:
        lines += _make_way(client, task, stored)
        numbers = set()
    new = [version for version in known if version.number not in numbers]
    if any(_shelved(client, root, version, runs) for version in new):
        # Its number was given and deleted before.
        lines.append(f"{task} in MLflow: a version was deleted")
        client.delete_registered_model(task)
        new = list(known)
        for version in new:
            _shelved(client, root, version, runs)
    if new:
        made = ", ".join(f"v{version.number}" for version in new)
        lines.append(f"{task} in MLflow: {made} registered, as in the ledger")
    return lines


def _shelved(client: MlflowClient, root: Path, version: Version, runs: Mapping[str, str]) -> bool:
    """Register a version; return whether MLflow called it by another number than the ledger."""
    return log_version(client, root, version, runs) != version.number


def _fault(client: MlflowClient, root: Path, known: Sequence[Version], has: ModelVersion) -> str:
    """Say why a version cannot stay; one beyond the ledger's may be another clone's, and stays."""
    if RESULT not in has.tags:
        return "was registered by hand"
    version = next((each for each in known if each.number == int(has.version)), None)
    if version is None:
        return ""
    if version.result != has.tags[RESULT]:
        return "was of another result"
    if ABSENT in has.tags:
        return "its files have arrived" if available(root, version) else ""
    return "" if has_files(client, root, version, has) else "its files were gone"


def _make_way(client: MlflowClient, task: str, stored: Sequence[ModelVersion]) -> list[str]:
    """Delete a registered model; what somebody registered by hand in it stays, under another name."""
    own = [each.version for each in stored if RESULT not in each.tags]
    if not own:
        client.delete_registered_model(task)
        return []
    taken = {each.name for each in client.search_registered_models(f"name LIKE '{task}-by-hand%'")}
    names = [f"{task}-by-hand", *(f"{task}-by-hand-{n}" for n in range(2, len(taken) + 2))]
    other = next(name for name in names if name not in taken)
    client.rename_registered_model(task, other)
    for alias in set(_aliases(client, other)) & set(ALIASES):
        client.delete_registered_model_alias(other, alias)
    for each in stored:
        if RESULT in each.tags:
            client.delete_model_version(other, each.version)
    return [
        f"{other} v{number} in MLflow: is that now, with its run and files; "
        f"to register it: assay import {task} <weights file>"
        for number in own
    ]


# --- aliases


def _aliases(client: MlflowClient, task: str) -> dict[str, int]:
    models = client.search_registered_models(f"name='{task}'")
    return {alias: int(number) for model in models for alias, number in model.aliases.items()}


def _set_aliases(
    client: MlflowClient, root: Path, known: Sequence[Version], before: Mapping[str, int]
) -> None:
    """Set the ledger's aliases, and somebody's own again where the model was built anew."""
    task, numbers = known[0].task, {version.number for version in known}
    own = {name: n for name, n in before.items() if name not in ALIASES and n in numbers}
    has, wanted = _aliases(client, task), own | current_aliases(root, task).aliases()
    for alias in set(has) & set(ALIASES) - set(wanted):
        client.delete_registered_model_alias(task, alias)
    for alias, number in wanted.items():
        if has.get(alias) != number:
            client.set_registered_model_alias(task, alias, str(number))


def _moved(root: Path, known: Sequence[Version], before: Mapping[str, int]) -> Iterator[str]:
    """Say which aliases stood elsewhere."""
    task = known[0].task
    wanted = current_aliases(root, task).aliases()
    for alias in ALIASES:
        had, has = before.get(alias), wanted.get(alias)
        if had != has:
            shown = " → ".join(f"v{number}" if number else "none" for number in (had, has))
            called = next((each for each in known if each.number == had), None)
            door = _door(root, called) if called and alias == "champion" else ""
            yield f"{task}@{alias} in MLflow: {shown}, as in the ledger{door}"


def _door(root: Path, version: Version) -> str:
    """Return how a version is promoted that MLflow called champion, and that never was it."""
    promoted = {entry.facts.get("tag") for entry in entries(root) if entry.kind == PROMOTION}
    if version.tag in promoted or not version.is_proven:
        return ""
    there = f"git switch --detach {version.commit[:12]} && dvc checkout"
    door = f"assay register {version.task} && assay promote {version.task}"
    return f"; to promote v{version.number}: {there} && {door}"
