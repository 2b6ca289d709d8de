"""A registered model, asked in a process of its own: `asked.py <store> <model>`, images in, values out.

The model brings the code of its own commit, which must not meet this one's: so this file is run by its
path and imports nothing of the package.
"""

from __future__ import annotations

import io
import sys

import numpy as np


def main(store: str, model: str) -> None:
    """Read an .npy of uint8 images (n, size, size, 3) from stdin; write one of predictions to stdout."""
    import mlflow

    mlflow.set_tracking_uri(store)
    images = np.load(io.BytesIO(sys.stdin.buffer.read()))
    predictions = mlflow.pyfunc.load_model(model).predict({"images": images})
    written = io.BytesIO()  # a pipe cannot be sought in, as np.save does
    np.save(written, np.asarray(predictions, dtype=np.float32))
    sys.stdout.buffer.write(written.getvalue())


if __name__ == "__main__":
    main(*sys.argv[1:])
