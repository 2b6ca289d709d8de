"""A registered model in a process of its own: `predict_process.py <store> <model> <images> <answers>`.

The model brings the code of its own commit, which must not meet this one's: so this file is run by its
path and imports nothing of the package.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np


def main(store: str, model: str, images: str, answers: str) -> None:
    """Map an .npy of uint8 images (n, size, size, 3); write one of predictions (n, outputs)."""
    import mlflow

    mlflow.set_tracking_uri(store)
    # One call: other batches than the evaluation's would say other last digits.
    said = mlflow.pyfunc.load_model(model).predict({"images": np.load(images, mmap_mode="r")})
    with Path(answers).open("wb") as stream:
        np.save(stream, np.asarray(said, dtype=np.float32))


if __name__ == "__main__":
    main(*sys.argv[1:])
