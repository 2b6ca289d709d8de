"""`assay candidate`: register a committed model, from code and safetensors, as `candidate`."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay import contract
from assay.errors import RegistryError, SourceError
from assay.manifest.snapshot import PHANTOM, listing_digest
from assay.manifest.source import Source
from assay.runs.files import file_digest, read_json
from assay.runs.record import RECORD, WEIGHTS
from assay.tracking.entries import sighted_entries
from assay.tracking.results import Result, join
from assay.tracking.store import open_store
from assay.tracking.sync import sync

if TYPE_CHECKING:
    from mlflow import MlflowClient

ALIAS = "candidate"
PINNED = ("torch", "torchvision", "timm", "numpy", "safetensors", "pydantic")


@dataclass(frozen=True)
class Candidate:
    """A registered version."""

    task: str
    version: str
    run: str
    is_new: bool


def register(root: Path, task: str) -> Candidate:
    """Register the work tree's model of `task`; a model that is a version already only gets the alias.

    Raises:
        RegistryError: `dvc.lock` is not committed, the stages are stale, or the files differ from it.
    """
    commit = _committed(root, task)
    result = _result(root, task)
    _ensure_source_stands(root, task)
    run = sync(root).runs.get(result.digest)
    if run is None:
        raise RegistryError(
            f"candidate {task}",
            "the DVC cache does not hold this model",
            "weights and record in .dvc/cache",
            f"dvc commit -f evaluate@{task}",
        )
    client = open_store(root)
    weights = result.outs[f"models/{task}/{WEIGHTS}"]
    version = _known_version(client, task, result.digest)
    is_new = version is None
    if version is None:
        version = _log(client, root, task, run)
        tags = {"result": result.digest, "weights": weights, "commit": commit}
        for name, value in tags.items():
            client.set_model_version_tag(task, version, name, value)
    client.set_registered_model_alias(task, ALIAS, version)
    return Candidate(task, version, run, is_new)


def _committed(root: Path, task: str) -> str:
    """Return the commit that holds the model, or refuse."""
    pinned = ("dvc.lock", "dvc.yaml", "params.yaml", "requirements.lock", "src")
    changed = _git(root, "status", "--porcelain", "--", *pinned)
    if changed:
        raise RegistryError(
            f"candidate {task}",
            f"not committed: {' '.join(changed.split())}",
            "a commit that holds the model",
            "git commit -a -m 'Train …', then again",
        )
    stale = _stale(root, task)
    if stale:
        raise RegistryError(
            f"candidate {task}",
            f"stale: {stale}",
            "outputs that agree with code, data and dvc.lock",
            f"dvc repro evaluate@{task}",
        )
    return _git(root, "rev-parse", "HEAD").strip()


def _stale(root: Path, task: str) -> str:
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        status = repo.status(targets=[f"evaluate@{task}"], with_deps=True)
    return ", ".join(status)


def _result(root: Path, task: str) -> Result:
    """Return the result whose files stand in the work tree."""
    record = file_digest(root / "models" / task / RECORD)
    metrics = file_digest(root / "reports" / task / "metrics.json")
    for result in join(sighted_entries(root)):
        outs = result.outs.values()
        if result.task == task and record in outs and metrics in outs:
            return result
    raise RegistryError(
        f"candidate {task}", "no commit holds this model", mend=f"dvc repro evaluate@{task}"
    )


def _ensure_source_stands(root: Path, task: str) -> None:
    """Refuse a model whose source has changed since; one that is not reachable here is believed."""
    data = read_json(root / "models" / task / RECORD)["data"]
    if data["source"] == PHANTOM:
        return
    name = contract.find_task(task).data
    try:
        place = Source(data["source"], root)
        files = contract.find_system(name).read(place).files()
    except SourceError as fault:
        print(f"note: not compared with its source ({fault.where}: {fault.found})")
        return
    if listing_digest(place, files) != data["listing_digest"]:
        raise RegistryError(
            f"candidate {task}",
            f"{data['source']} holds other files than when this model was trained",
            "the source as it was",
            f"assay snapshot {name} {data['source']}, then dvc repro",
        )


def _known_version(client: MlflowClient, task: str, digest: str) -> str | None:
    for version in client.search_model_versions(f"name='{task}'"):
        if version.tags.get("result") == digest:
            return str(version.version)
    return None


def _log(client: MlflowClient, root: Path, task: str, run: str) -> str:
    """Store weights, record and code as a new version; the run keeps its own end."""
    import mlflow

    record = read_json(root / "models" / task / RECORD)
    end = client.get_run(run).info.end_time
    with mlflow.start_run(run_id=run):
        stored = mlflow.pyfunc.log_model(
            name=task,
            python_model=str(root / "src" / "assay" / "registry" / "served.py"),
            artifacts={
                "weights": str(root / "models" / task / WEIGHTS),
                "record": str(root / "models" / task / RECORD),
            },
            code_paths=[str(root / "src" / "assay")],
            signature=_signature(record["model"]),
            pip_requirements=_pins(root),
            registered_model_name=task,
        )
    client.set_terminated(run, "FINISHED", end)
    return str(stored.registered_model_version)


def _signature(model: dict[str, Any]) -> Any:
    """Return the signature: stored images in, label units out."""
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    size = model["image_size"]
    images = TensorSpec(np.dtype("uint8"), (-1, size, size, 3), "images")
    values = TensorSpec(np.dtype("float32"), (-1, model["outputs"]))
    return ModelSignature(Schema([images]), Schema([values]))


def _pins(root: Path) -> list[str]:
    lines = (root / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = [line.split(" ")[0] for line in lines if "==" in line and not line.startswith(" ")]
    return [pin for pin in pins if pin.split("==")[0] in PINNED]


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout
