"""A registered model in its own process: `predict_process.py <store> <model> <answers> <name>=<file>…`.

The model brings the code of its own commit, which must not meet this one's: so this file is run by its
path and imports nothing of the package.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np


def main(store: str, model: str, answers: str, *named: str) -> None:
    """Map the .npy files, one a view or column of rows; write one of predictions (n, outputs)."""
    import mlflow

    mlflow.set_tracking_uri(store)
    places = dict(each.split("=", 1) for each in named)
    rows = {name: np.load(place, mmap_mode="r") for name, place in places.items()}
    # One call: other batches than the evaluation's would say other last digits.
    said = mlflow.pyfunc.load_model(model).predict(rows)
    with Path(answers).open("wb") as stream:
        np.save(stream, np.asarray(said, dtype=np.float32))


if __name__ == "__main__":
    main(*sys.argv[1:])
