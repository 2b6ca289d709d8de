"""MLflow's runs: those whose result nothing names any more, and what deleted ones left on the disk."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from assay.tracking.store import open_store, store_folder, store_uri
from assay.tracking.sync import RESULT

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run

    from assay.registry.gc_cache import Objects


@dataclass
class Stale:
    """What goes of MLflow.

    Attributes:
        runs: whose result nothing names, not yet deleted.
        deleted: runs that MLflow calls deleted, whose files are still there.
        models: files of models that no version serves any more, as when the registry was built anew.
        places: the folders of all of them.
        elsewhere: a store that was copied points at the files of the store that it was copied from.
    """

    runs: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    places: list[Path] = field(default_factory=list)
    elsewhere: str = ""


def has_store(root: Path) -> bool:
    """Whether there is a store; asking MLflow would make one."""
    database = store_folder(root) / "mlflow.db"
    return "MLFLOW_TRACKING_URI" in os.environ or (
        database.exists() and database.stat().st_size > 0
    )


def lies_elsewhere(root: Path, experiment: Experiment) -> bool:
    """Whether the files of an experiment in this store are not this store's."""
    own = store_uri(root).startswith(f"sqlite:///{store_folder(root)}")
    return own and not str(experiment.artifact_location).startswith(store_folder(root).as_uri())


def stale_runs(root: Path, objects: Objects) -> Stale:
    """Return what goes; a run that a registered version came from never does."""
    found = Stale()
    if not has_store(root):
        return found
    client = open_store(root)
    results = objects.results()
    spared = {each.digest for each in results} | {each.result for each in objects.kept.versions}
    for task in sorted({each.task for each in results} | {v.task for v in objects.kept.versions}):
        experiment = client.get_experiment_by_name(task)
        if experiment is None:
            continue
        if lies_elsewhere(root, experiment):
            found.elsewhere = str(experiment.artifact_location)
            continue
        _look(client, root, experiment, spared, found)
    return found


def _look(
    client: MlflowClient, root: Path, experiment: Experiment, spared: set[str], found: Stale
) -> None:
    from mlflow.entities import ViewType

    versions = client.search_model_versions(f"name='{experiment.name}'")
    registered = {version.run_id for version in versions}
    served = {version.source for version in versions}
    runs = all_runs(client, experiment.experiment_id, ViewType.ALL)
    for run in runs:
        if run.info.run_id in registered:
            continue
        place = _files(root, run.info.artifact_uri)
        if run.info.lifecycle_stage == "deleted":
            found.deleted += [run.info.run_id] if place else []
        elif RESULT in run.data.tags and run.data.tags[RESULT] not in spared:
            found.runs.append(run.info.run_id)
        else:
            continue
        found.places += place
    # A run without a result is somebody's own, and so is what it logged.
    ours = {run.info.run_id for run in runs if RESULT in run.data.tags}
    for model in client.search_logged_models([experiment.experiment_id], max_results=1000):
        if f"models:/{model.model_id}" not in served and model.source_run_id in ours:
            found.models.append(model.model_id)
            found.places += _files(root, model.artifact_location)


def all_runs(client: MlflowClient, experiment: str, which: int) -> list[Run]:
    """Return every run of an experiment, page by page."""
    runs: list[Run] = []
    token = None
    while True:
        page = client.search_runs(
            [experiment], run_view_type=which, max_results=1000, page_token=token
        )
        runs += page
        token = page.token
        if not token:
            return runs


def free(root: Path, stale: Stale) -> None:
    """Delete them and their files.

    MLflow keeps a deleted run's few numbers; its own collector would take all that anybody deleted, and
    asks nobody whether a version came from it.
    """
    client = open_store(root)
    for run in stale.runs:
        client.delete_run(run)
    for model in stale.models:
        client.delete_logged_model(model)
    for place in stale.places:
        shutil.rmtree(place)


def _files(root: Path, uri: str) -> list[Path]:
    """Return the folder of a run or model where it lies in this store, and there is one."""
    place = Path(str(uri).removeprefix("file://"))
    return [place] if place.is_relative_to(store_folder(root)) and place.is_dir() else []
