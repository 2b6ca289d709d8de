"""The MLflow store: SQLite and files under the repository's root; made once, before anything parallel."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlparse
from urllib.request import url2pathname

from assay.errors import MachineError
from assay.runs.lock import held
from assay.runs.places import MLFLOW, named_lock

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run


STATED = "MLFLOW_TRACKING_URI"  # where a person says which server
DATABASE = "mlflow.db"


def store_folder(root: Path) -> Path:
    """Return where the store lies."""
    return root / MLFLOW


def store_uri(root: Path) -> str:
    """Return the tracking URI: MLFLOW_TRACKING_URI where a person set it, else SQLite in the store."""
    own = os.environ.get(STATED, "")
    return own or f"sqlite:///{store_folder(root) / DATABASE}"


def open_store(root: Path) -> MlflowClient:
    """Return a client; the first call makes the database (several at once would break its migration)."""
    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    import logging

    import mlflow

    # After the import, which puts filters of its own on top.
    warnings.filterwarnings("ignore", module="mlflow")
    warnings.filterwarnings("ignore", message=".*[Tt]ype hint.*")
    for name in ("alembic", "mlflow.store", "mlflow.tracking", "mlflow.utils"):
        logging.getLogger(name).setLevel(logging.ERROR)
    store_folder(root).mkdir(parents=True, exist_ok=True)
    stated = os.environ.get(STATED, "")
    mlflow.set_tracking_uri(store_uri(root))
    if not stated:  # MLflow states it, which would send the next repository here
        os.environ.pop(STATED, None)
    with held(named_lock(root, "mlflow"), "another process makes the store; waiting"):
        client = mlflow.MlflowClient()
        client.search_experiments(max_results=1)
    return client


def experiment_of(client: MlflowClient, root: Path, task: str) -> str:
    """Return the id of the task's MLflow experiment; made where it is absent, restored where deleted.

    Raises:
        MachineError: the store is another checkout's; what is logged here would land among its files.
    """
    found = client.get_experiment_by_name(task)
    if found is None:
        place = store_folder(root) / "artifacts" / task
        return str(client.create_experiment(task, artifact_location=place.as_uri()))
    if lies_elsewhere(root, found):
        own = store_folder(root)
        raise MachineError(
            "MLflow store",
            f"its files lie in {found.artifact_location}: this checkout was copied or moved",
            f"below {own}",
            # Aside, and not away: it may hold runs that are nobody's but a person's.
            f"mv {own} {own}-elsewhere && assay sync",
        )
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def has_store(root: Path) -> bool:
    """Whether there is a store; asking MLflow would make one."""
    database = store_folder(root) / DATABASE
    return STATED in os.environ or (database.exists() and database.stat().st_size > 0)


def lies_here(root: Path) -> bool:
    """Whether the store is the repository's own, and not a server's."""
    return store_uri(root).startswith(f"sqlite:///{store_folder(root)}")


def lies_elsewhere(root: Path, experiment: Experiment) -> bool:
    """Whether the files of an experiment in this store are not this store's."""
    own = store_folder(root).as_uri()
    return lies_here(root) and not str(experiment.artifact_location).startswith(own)


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


def stored_path(root: Path, uri: str) -> Path | None:
    """Return where a URI of MLflow's lies in this store; None where it lies elsewhere."""
    path = Path(url2pathname(urlparse(uri).path))
    return path if path.is_relative_to(store_folder(root)) else None
