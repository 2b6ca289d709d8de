"""MLflow's runs and models that show nothing any more: deleted, and in time taken by its collector."""

from __future__ import annotations

import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import MachineError
from assay.tracking import store
from assay.tracking.children import OF
from assay.tracking.mlflow_run import PARENT
from assay.tracking.sync import RESULT

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run


@dataclass
class Stale:
    """What goes of MLflow.

    Attributes:
        runs: whose result nothing names.
        models: of our runs, that no version serves, as when the registry was built anew.
        note: why MLflow's collector is not called.
    """

    runs: list[str] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    note: str = ""


def stale_runs(root: Path, kept: set[tuple[str, str]]) -> Stale:
    """Return what goes, given task and digest of each result that stays."""
    found = Stale()
    if not store.has_store(root):
        return found
    client = store.open_store(root)
    if not store.lies_here(root):
        found.note = "into the server's trash; mlflow gc, where it runs"
    for task in sorted({task for task, _ in kept}):
        experiment = client.get_experiment_by_name(task)
        if experiment is not None and store.lies_elsewhere(root, experiment):
            # A copied store: MLflow would remove the files of the checkout that it was copied from.
            return Stale(note=f"its files lie in {experiment.artifact_location}: assay sync")
        if experiment is not None:
            _look(client, experiment, {digest for _, digest in kept}, found)
    return found


def _look(client: MlflowClient, experiment: Experiment, kept: set[str], found: Stale) -> None:
    from mlflow.entities import ViewType

    runs = store.all_runs(client, experiment.experiment_id, ViewType.ALL)
    # A run without a result is somebody's own, and so is what it logged.
    ours = {run.info.run_id: run for run in runs if RESULT in run.data.tags}
    # Of any registered model: what somebody registered by hand may stand under another name.
    versions = client.search_model_versions()
    served = {each.source for each in versions} | {each.run_id for each in versions}
    found.runs += [
        run.info.run_id for run in runs
        if run.info.lifecycle_stage == "active" and _is_stale(run, kept, served)
    ]  # fmt: skip
    found.models += [
        model.model_id
        for model in client.search_logged_models([experiment.experiment_id], max_results=1000)
        if f"models:/{model.model_id}" not in served and model.source_run_id in ours
    ]


def _is_stale(run: Run, kept: set[str], served: set[str]) -> bool:
    """Return whether nothing needs a run of ours; one of a training goes with the run above it."""
    tags, own = run.data.tags, run.info.run_id
    result = tags.get(RESULT) or tags.get(OF)
    return bool(result) and result not in kept and not {own, tags.get(PARENT, own)} & served


def free(root: Path, stale: Stale, keep_days: int) -> None:
    """Delete them, and let MLflow remove for good what was deleted so many days ago.

    Raises:
        MachineError: MLflow's collector failed.
    """
    if not store.has_store(root):
        return
    client = store.open_store(root)
    for run in stale.runs:
        client.delete_run(run)
    for model in stale.models:
        client.delete_logged_model(model)
    if stale.note:
        return
    uri = store.store_uri(root)
    said = [
        "gc",
        "--older-than",
        f"{keep_days}d",
        "--backend-store-uri",
        uri,
        "--tracking-uri",
        uri,
    ]
    done = subprocess.run(
        [sys.executable, "-m", "mlflow", *said], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        mend = f"the same by hand, when that is settled: {shlex.join(['mlflow', *said])}"
        raise MachineError("mlflow gc", last, mend=mend)
