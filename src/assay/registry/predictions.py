"""Predictions of a registered model as it is served: from MLflow, with the code of its own commit."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from assay.errors import RegistryError
from assay.registry import asked
from assay.registry.versions import Version
from assay.tracking.store import store_uri


def predict_with(
    root: Path, version: Version, images: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float32]:
    """Return (n, outputs) in label units for stored images (n, size, size, 3).

    In a process of its own, since the model brings its own code.

    Raises:
        RegistryError: the model cannot be loaded, or fails.
    """
    given, uri = io.BytesIO(), f"models:/{version.task}/{version.number}"
    np.save(given, images)
    command = [sys.executable, "-I", str(Path(asked.__file__)), store_uri(root), uri]
    done = subprocess.run(command, input=given.getvalue(), capture_output=True, check=False)
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise RegistryError(uri, f"cannot predict: {' '.join(last)}", mend="assay sync")
    predictions: npt.NDArray[np.float32] = np.load(io.BytesIO(done.stdout))
    return predictions
