"""Commands that mend MLflow's store, where it has no command of its own."""

from __future__ import annotations

from pathlib import Path

from assay.tracking.store import store_uri

SYNC = "assay sync"


def in_mlflow(root: Path, *calls: str) -> str:
    """Return a command line that makes these calls of MLflow's client."""
    steps = "; ".join(f"c.{call}" for call in calls)
    return f'python -c "import mlflow; c = mlflow.MlflowClient({store_uri(root)!r}); {steps}"'


def rebuilt(root: Path, task: str, *runs: str) -> str:
    """Return the command that builds a registered model anew from ledger and DVC cache.

    Args:
        root: the repository.
        task: the model's name.
        runs: MLflow runs to be built anew with it.
    """
    calls = [f"delete_run({run!r})" for run in runs]
    return f"{in_mlflow(root, f'delete_registered_model({task!r})', *calls)} && {SYNC}"
