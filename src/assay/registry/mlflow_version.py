"""The shelf: one version put into MLflow, as the files and the code of its own commit; no pickle."""

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
from assay.runs.record import RECORD
from assay.tracking.results import DvcCache
from assay.tracking.store import store_folder, stored_path

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from assay.registry.versions import Version

ABSENT = "absent"  # a version whose files this clone does not hold keeps its number
BUNDLE = "bundle"  # the folder with the model's files and its record
PINNED = ("torch", "torchvision", "timm", "numpy", "safetensors", "pydantic")


def available(root: Path, version: Version) -> bool:
    """Whether this clone holds what serving the version needs: its files, record, and commit's code."""
    has_code = not version.is_proven or git(root, "cat-file", "-t", version.commit) == "commit"
    cache = DvcCache(root)
    needed = [*version.files.values(), *filter(None, [version.record])]
    return has_code and all(cache.path(digest) for digest in needed)


def folder_of(client: MlflowClient, root: Path, task: str, number: int) -> Path | None:
    """Return where this store keeps what a version serves; None where it keeps nothing of it."""
    return stored_path(root, client.get_model_version_download_uri(task, str(number)))


def has_files(client: MlflowClient, root: Path, version: Version, stored: ModelVersion) -> bool:
    """Whether this store holds the files that a version in it serves; another store is believed."""
    folder = folder_of(client, root, stored.name, int(stored.version))
    return folder is None or all(any(folder.rglob(name)) for name in version.files)


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
    tags = _tags(version) | {"commit": version.commit}
    tags["proven"] = "yes" if version.is_proven else "no"
    text = str(version.entry.facts.get("text") or version.entry.facts.get("note") or "")
    # All at once: a version without its tags would be taken for one that somebody registered by hand.
    made = client.create_model_version(version.task, **place, tags=tags, description=text)
    return int(made.version)


def _tags(version: Version) -> dict[str, str]:
    files = ", ".join(f"{name} {digest}" for name, digest in version.files.items())
    return {"result": version.result, "files": files}


def _ensure_model(client: MlflowClient, task: str) -> None:
    if not client.search_registered_models(f"name='{task}'"):
        client.create_registered_model(task)


def _placeholder(client: MlflowClient, version: Version) -> int:
    """Keep the number of a version that this clone cannot serve."""
    made = client.create_model_version(
        version.task,
        source=f"absent/{version.result}",
        tags=_tags(version) | {ABSENT: "yes"},
        description="its files are not in this clone's DVC cache: dvc pull --all-commits, assay sync",
    )
    return int(made.version)


def _keep(root: Path, version: Version) -> str:
    """Put an imported file into the store as it is, not served; return its folder's URI."""
    place = store_folder(root) / "artifacts" / version.task / "imported" / version.result
    _copy(DvcCache(root), version.files, place)
    return place.as_uri()


def _copy(cache: DvcCache, files: Mapping[str, str], folder: Path) -> None:
    for name, digest in files.items():
        found = cache.path(digest)
        assert found is not None
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(found, folder / name)


def _serve(client: MlflowClient, root: Path, version: Version, run: str) -> dict[str, str]:
    """Log files, record and the commit's own code to the run, which keeps its end; return the place."""
    import mlflow

    pinned = CommitArtifacts(root, version.commit)
    end = client.get_run(run).info.end_time
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        pinned.unpack(folder, "src/assay", "requirements.lock")
        _copy(pinned.cache, {**version.files, RECORD: version.record}, folder / BUNDLE)
        # Recorded: MLflow asks for type hints under a filter of its own.
        with mlflow.start_run(run_id=run), warnings.catch_warnings(record=True):
            stored = mlflow.pyfunc.log_model(
                name=version.task,
                python_model=str(folder / "src/assay/registry/served.py"),
                artifacts={BUNDLE: str(folder / BUNDLE)},
                code_paths=[str(folder / "src/assay")],
                signature=_signature(read_json(folder / BUNDLE / RECORD)["model"]),
                pip_requirements=[f"{n}=={v}" for n, v in pins(folder).items() if n in PINNED],
            )
    client.set_terminated(run, "FINISHED", end)
    return {"source": stored.model_uri, "run_id": run, "model_id": stored.model_id}


def _signature(model: Mapping[str, Any]) -> Any:
    """Return the signature: stored images and columns in, label units out; see `contract.inputs`.

    A model of several folds takes the number of one as `params`; by default it combines all.
    """
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import DataType, ParamSchema, ParamSpec, Schema, TensorSpec

    forms = {view: {"dtype": "uint8", "shape": shape} for view, shape in model["views"].items()}
    handed = [
        TensorSpec(np.dtype(form["dtype"]), (-1, *form["shape"]), name)
        for name, form in (forms | model["reads"]).items()
    ]
    values = TensorSpec(np.dtype("float32"), (-1, model["outputs"]))
    fold = ParamSchema([ParamSpec("fold", DataType.long, -1)]) if model.get("folds") else None
    return ModelSignature(Schema(handed), Schema([values]), fold)
