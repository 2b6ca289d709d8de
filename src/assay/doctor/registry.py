"""MLflow's registered models against the ledger: versions, numbers, aliases, files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from assay.doctor.finding import Finding, Report
from assay.doctor.mends import SYNC, in_mlflow, rebuilt
from assay.lookup import all_tasks
from assay.registry.ledger import entries
from assay.registry.mirror import stored_versions
from assay.registry.shelf import ABSENT, available
from assay.registry.versions import ALIASES, standing, tasks_in, versions
from assay.tracking.store import has_store, lies_elsewhere, open_store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from assay.registry.mirror import Stored
    from assay.registry.versions import Version

NO_STORE = "no MLflow store here: assay sync builds it"


def check_registry(root: Path) -> Report:
    """Compare versions and aliases in MLflow with the ledger."""
    if not has_store(root):
        return Report("registry", "not looked at", hints=[NO_STORE])
    client = open_store(root)
    named = tasks_in(entries(root))
    findings, count = [], 0
    for task in sorted({*named, *all_tasks()}):
        experiment = client.get_experiment_by_name(task)
        if experiment is not None and lies_elsewhere(root, experiment):
            # What mends it would write into the other checkout's store.
            return Report("registry", "not looked at: the store's files lie elsewhere, see runs")
        stored = stored_versions(client, task)
        known = versions(root, task)
        count += len(stored)
        if known and not client.search_registered_models(f"name='{task}'"):
            findings.append(
                Finding(f"{task} in MLflow", "no registered model", f"{len(known)} versions", SYNC)
            )
            continue
        findings += _versions(client, root, known, stored) + _foreign(root, task, known, stored)
        findings += _aliases(client, root, task) if known else []
    return Report("registry", f"{count} versions in MLflow against the ledger's", findings)


def _versions(
    client: MlflowClient, root: Path, known: list[Version], stored: Stored
) -> list[Finding]:
    findings = []
    for version in known:
        name, has = f"{version.task} v{version.number} in MLflow", stored.get(version.number)
        # A deleted number is not given again: only a registered model built anew counts from 1.
        mend = rebuilt(root, version.task)
        if has is None:
            findings.append(Finding(name, "deleted, or never made", "as in the ledger", mend))
        elif has.tags.get("result") != version.result:
            is_ours = "result" in has.tags
            said = f"is result {has.tags['result']}" if is_ours else "registered by hand"
            findings.append(Finding(name, said, f"result {version.result}", mend))
        elif has.tags.get(ABSENT):
            if available(root, version):
                said = "without files, though the DVC cache holds them"
                findings.append(Finding(name, said, "its weights", SYNC))
        elif not _has_files(client, has):
            findings.append(Finding(name, "its files are gone", "weights and code", mend))
    return findings


def _foreign(root: Path, task: str, known: list[Version], stored: Stored) -> list[Finding]:
    """Find versions that the ledger does not know, beyond its own numbers."""
    findings = []
    for number in sorted(stored.keys() - {version.number for version in known}):
        mend = in_mlflow(root, f"delete_model_version({task!r}, '{number}')")
        said = "registered by hand, and in the way of the ledger's next version"
        if any(stored[number].tags.get("result") == version.result for version in known):
            said, mend = "one of the ledger's under a wrong number", rebuilt(root, task)
        findings.append(Finding(f"{task} v{number} in MLflow", said, "none", mend))
    return findings


def _aliases(client: MlflowClient, root: Path, task: str) -> list[Finding]:
    wanted = standing(root, task).aliases()
    has = {name: int(number) for name, number in client.get_registered_model(task).aliases.items()}
    return [
        Finding(f"{task}@{alias} in MLflow", _number(has, alias), _number(wanted, alias), SYNC)
        for alias in ALIASES
        if has.get(alias) != wanted.get(alias)
    ]


def _number(aliases: dict[str, int], alias: str) -> str:
    return f"v{aliases[alias]}" if alias in aliases else "none"


def _has_files(client: MlflowClient, version: ModelVersion) -> bool:
    """Whether what the version serves lies on this disk, or on another machine's."""
    place = str(version.source)
    if place.startswith("models:/"):
        place = str(client.get_logged_model(place.removeprefix("models:/")).artifact_location)
    if not place.startswith("file://"):
        return True
    folder = Path(place.removeprefix("file://"))
    return folder.is_dir() and any(folder.iterdir())
