"""The run record: `run.json` beside each model, enough to build its MLflow run anew.

It holds no clock, host or experiment name, so that equal runs have equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.runs.files import write_json
from assay.runs.run import Run

RECORD = "run.json"
WEIGHTS = "weights.safetensors"
HISTORY = "history.csv"


def write_record(run: Run, chosen: Mapping[str, Any], model: Mapping[str, Any]) -> None:
    """Write the record of a finished training.

    Args:
        run: the training, with its `facts` (params, inputs, key, environment).
        chosen: the epoch that the epoch rule chose, and its validation metrics.
        model: what is needed to use the weights: outputs, image size, digest of the first weights.
    """
    content = {"task": run.task, **run.facts, "chosen": dict(chosen), "model": dict(model)}
    write_json(run.folder / RECORD, content)
