"""A registered model in its own process.

Called as `predict_process.py <store> <model> <answers> <folds> <name>=<file>…`. The model brings the code
of its own commit, which must not meet this one's: so this file is run by its path and imports nothing of
the package.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np


def main(store: str, model: str, answers: str, folds: str, *named: str) -> None:
    """Map the .npy files, one a view or column of rows; write one of predictions (n, outputs).

    `folds` is `<fold>:<rows>,…` of a model of several that is asked fold by fold, else empty.
    """
    import mlflow

    mlflow.set_tracking_uri(store)
    places = dict(each.split("=", 1) for each in named)
    rows = {name: np.load(place, mmap_mode="r") for name, place in places.items()}
    loaded, said, start = mlflow.pyfunc.load_model(model), [], 0
    # One call, or one a fold: other batches than the evaluation's would say other last digits.
    for fold, count in [map(int, each.split(":")) for each in folds.split(",") if each]:
        part = {name: array[start : start + count] for name, array in rows.items()}
        said.append(loaded.predict(part, params={"fold": fold}))
        start += count
    answer = np.concatenate(said) if said else loaded.predict(rows)
    with Path(answers).open("wb") as stream:
        np.save(stream, np.asarray(answer, dtype=np.float32))


if __name__ == "__main__":
    main(*sys.argv[1:])
