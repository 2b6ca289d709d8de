"""The registered model, as code: MLflow loads this file, the model's files and its record; no pickle."""

from __future__ import annotations

from pathlib import Path

import mlflow
from mlflow.pyfunc import PythonModel, PythonModelContext

from assay.contract.bundle import read_bundle
from assay.contract.inputs import unpad_column
from assay.lookup import find_scored
from assay.manifest.rows import Rows
from assay.values import declared_part


class ServedModel(PythonModel):
    """Images by view, uint8 (n, size, size, channels), and columns → label units (n, outputs)."""

    def load_context(self, context: PythonModelContext) -> None:
        """Build the predictor from the model's files and the parameters of its run."""
        bundle = read_bundle(Path(context.artifacts["bundle"]))
        scored = find_scored(bundle.record["task"])
        params = declared_part(bundle.record["params"], scored.name, scored.params)
        self.handed = bundle.record["model"]
        self.predictor = scored.predictor(bundle, params)

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
        """Return predictions for rows, whose images and columns have the names of the signature.

        Without annotations: MLflow takes those for a second signature, and warns.
        """
        images = {view: model_input[view] for view in self.handed["views"]}
        reads = {n: unpad_column(model_input[n], form) for n, form in self.handed["reads"].items()}
        return self.predictor(Rows(images, reads))


mlflow.models.set_model(ServedModel())
