"""The guard of a stage: within DVC, this folder's code, the locked environment; standard library only."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from pathlib import Path

from assay import errors
from assay.code.distributions import LOCK_FILE, pins
from assay.errors import MachineError
from assay.runs.parent import die_with_parent

GUARDED = ("dvc", "pydantic", "polars", "torch", "lightning", "timm", "great-expectations")


def guard(stage: str) -> None:
    """Refuse to run outside DVC, from another checkout's code, or in another environment.

    Raises:
        MachineError: with what is wrong, and the command that mends it.
    """
    os.environ.pop("MLFLOW_RUN_ID", None)  # `mlflow run` exports it; files are the truth here
    if "DVC_STAGE" not in os.environ:
        raise MachineError(stage, "a stage runs within dvc", mend=f"dvc repro {stage}@…")
    die_with_parent()
    package = Path(errors.__file__).resolve().parent
    if package.parent != (Path.cwd() / "src").resolve():
        raise MachineError(
            "code",
            f"assay is imported from {package}",
            f"below {Path.cwd() / 'src'}",
            "exec env PYTHONPATH=src in the stage's cmd",
        )
    wrong = _wrong_versions()
    if wrong:
        raise MachineError(
            f"interpreter {sys.executable}",
            ", ".join(wrong),
            f"what {LOCK_FILE} pins",
            "make environment, then: PATH=$PWD/.venv/bin:$PATH dvc repro",
        )


def _wrong_versions() -> list[str]:
    pinned = pins()
    wrong = []
    for name in GUARDED:
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found = "none"
        if found != pinned.get(name):
            wrong.append(f"{name} {found} (locked: {pinned.get(name)})")
    return wrong
