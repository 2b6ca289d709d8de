"""The registered model, as code: MLflow loads this file, the weights and the run record; no pickle."""

from __future__ import annotations

import json
from pathlib import Path

import mlflow
import numpy as np
from mlflow.pyfunc import PythonModel, PythonModelContext

from assay.lookup import find_task
from assay.values import declared_part


class ServedModel(PythonModel):
    """uint8 images (n, size, size, 3) → label units (n, outputs)."""

    def load_context(self, context: PythonModelContext) -> None:
        """Build the task's predictor from the weights and the parameters of its run."""
        record = json.loads(Path(context.artifacts["record"]).read_text(encoding="utf-8"))
        task = find_task(record["task"])
        params = declared_part(record["params"], task.name, task.params)
        self.predictor = task.predictor(Path(context.artifacts["weights"]), params)

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
        """Return predictions for the images, named `images` in the signature.

        Without annotations: MLflow takes those for a second signature, and warns.
        """
        images = model_input["images"] if isinstance(model_input, dict) else model_input
        return self.predictor(np.asarray(images))


mlflow.models.set_model(ServedModel())
