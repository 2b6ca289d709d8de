"""The registered model, as code: MLflow loads this file, the model's files and its record; no pickle."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
from mlflow.pyfunc import PythonModel, PythonModelContext

from assay.contract.bundle import read_bundle
from assay.contract.combined import combined_predictor
from assay.contract.inputs import unpad_column
from assay.lookup import find_scored, find_system
from assay.manifest.rows import Rows
from assay.values import declared_part

if TYPE_CHECKING:
    from assay.contract.scored import Predictor

COMBINED = -1  # as `fold`: all folds, put together


class ServedModel(PythonModel):
    """Images by view, uint8 (n, size, size, channels), and columns → label units (n, outputs)."""

    def load_context(self, context: PythonModelContext) -> None:
        """Build the predictor from the model's files and the parameters of its run."""
        bundle = read_bundle(Path(context.artifacts["bundle"]))
        scored = find_scored(bundle.record["task"])
        params = declared_part(bundle.record["params"], scored.name, scored.params)
        self.reads = bundle.record["model"]["reads"]
        self.views = list(find_system(scored.data).views)  # in their order; JSON has them by name

        @cache
        def of_fold(fold: int) -> Predictor:
            own = bundle if fold == COMBINED else bundle.of_fold(fold)
            return combined_predictor(scored, own, params)

        self.predictor = of_fold

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
        """Return predictions for rows, whose images and columns have the names of the signature.

        `params` may hold a `fold`, of a model of several. Without annotations: MLflow takes those for
        a second signature, and warns.
        """
        images = {view: model_input[view] for view in self.views}
        reads = {name: unpad_column(model_input[name], form) for name, form in self.reads.items()}
        return self.predictor((params or {}).get("fold", COMBINED))(Rows(images, reads))


mlflow.models.set_model(ServedModel())
