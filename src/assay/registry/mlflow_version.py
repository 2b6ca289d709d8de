"""The shelf: one version put into MLflow, as code and safetensors of its own commit; no pickle."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.code.distributions import pins
from assay.registry.commit_artifacts import CommitArtifacts
from assay.runs.files import read_json
from assay.runs.git import git
from assay.runs.record import RECORD, WEIGHTS
from assay.tracking.results import DvcCache
from assay.tracking.store import store_folder, stored_path

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from assay.registry.versions import Version

ABSENT = "absent"  # a version whose weights this clone does not hold keeps its number
PINNED = ("torch", "torchvision", "timm", "numpy", "safetensors", "pydantic")


def available(root: Path, version: Version) -> bool:
    """Whether this clone holds what serving the version needs: its weights, and its commit's code."""
    has_code = not version.is_proven or git(root, "cat-file", "-t", version.commit) == "commit"
    return has_code and DvcCache(root).path(version.weights) is not None


def has_weights(client: MlflowClient, root: Path, stored: ModelVersion) -> bool:
    """Whether this store holds the weights that a version in it serves; another store is believed."""
    folder = stored_path(root, client.get_model_version_download_uri(stored.name, stored.version))
    return folder is None or any(folder.rglob(WEIGHTS))


def log_version(client: MlflowClient, root: Path, version: Version, runs: Mapping[str, str]) -> int:
    """Register a version, and return the number that MLflow gives it.

    Args:
        client: of the store.
        root: the repository.
        version: as the ledger has it.
        runs: result → MLflow run.
    """
    _ensure_model(client, version.task)
    run = runs.get(version.result)
    if not available(root, version) or (version.is_proven and run is None):
        return _placeholder(client, version)
    place = _serve(client, root, version, run) if run else {"source": _keep(root, version)}
    tags = {name: getattr(version, name) for name in ("result", "weights", "commit")}
    tags["proven"] = "yes" if version.is_proven else "no"
    text = str(version.entry.facts.get("text") or version.entry.facts.get("note") or "")
    # All at once: a version without its tags would be taken for one that somebody registered by hand.
    made = client.create_model_version(version.task, **place, tags=tags, description=text)
    return int(made.version)


def _ensure_model(client: MlflowClient, task: str) -> None:
    if not client.search_registered_models(f"name='{task}'"):
        client.create_registered_model(task)


def _placeholder(client: MlflowClient, version: Version) -> int:
    """Keep the number of a version that this clone cannot serve."""
    made = client.create_model_version(
        version.task,
        source=f"absent/{version.weights}",
        tags={"result": version.result, "weights": version.weights, ABSENT: "yes"},
        description="its weights are not in this clone's DVC cache: dvc pull --all-commits, assay sync",
    )
    return int(made.version)


def _keep(root: Path, version: Version) -> str:
    """Put an imported file into the store as it is, not served; return its folder's URI."""
    place = store_folder(root) / "artifacts" / version.task / "imported" / version.weights
    place.mkdir(parents=True, exist_ok=True)
    found = DvcCache(root).path(version.weights)
    assert found is not None
    shutil.copyfile(found, place / WEIGHTS)
    return place.as_uri()


def _serve(client: MlflowClient, root: Path, version: Version, run: str) -> dict[str, str]:
    """Log weights, record and the commit's own code to the run, which keeps its end; return the place."""
    import mlflow

    pinned = CommitArtifacts(root, version.commit)
    end = client.get_run(run).info.end_time
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        pinned.unpack(folder, "src/assay", "requirements.lock")
        files = {WEIGHTS: version.weights, RECORD: version.record}
        for name, md5 in files.items():
            found = pinned.cache.path(md5)
            assert found is not None
            shutil.copyfile(found, folder / name)
        # Recorded: MLflow asks for type hints under a filter of its own.
        with mlflow.start_run(run_id=run), warnings.catch_warnings(record=True):
            stored = mlflow.pyfunc.log_model(
                name=version.task,
                python_model=str(folder / "src/assay/registry/served.py"),
                artifacts={"weights": str(folder / WEIGHTS), "record": str(folder / RECORD)},
                code_paths=[str(folder / "src/assay")],
                signature=_signature(read_json(folder / RECORD)["model"]),
                pip_requirements=[f"{n}=={v}" for n, v in pins(folder).items() if n in PINNED],
            )
    client.set_terminated(run, "FINISHED", end)
    return {"source": stored.model_uri, "run_id": run, "model_id": stored.model_id}


def _signature(model: Mapping[str, Any]) -> Any:
    """Return the signature: stored images in, label units out."""
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    size, channels = model["image_size"], model.get("channels", 3)  # older records are of colour
    images = TensorSpec(np.dtype("uint8"), (-1, size, size, channels), "images")
    values = TensorSpec(np.dtype("float32"), (-1, model["outputs"]))
    return ModelSignature(Schema([images]), Schema([values]))
