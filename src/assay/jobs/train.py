"""A plan judged, trained and recorded: the one way for every task with a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.gates.preflight import preflight
from assay.learning.fit import fit, forget_state
from assay.runs.record import write_record

if TYPE_CHECKING:
    from assay.learning.training_spec import TrainData, TrainingSpec
    from assay.runs.run import Run


def train_model(
    spec: TrainingSpec, train: TrainData, valid: TrainData, run: Run, first_weights: str
) -> None:
    """Preflight, train, and leave weights, history and record in `run.folder`.

    Args:
        spec: what to train, and how.
        train: what the network learns from.
        valid: what the epoch rule is judged on.
        run: where everything goes.
        first_weights: digest of what the network started from, or `none`.

    Raises:
        GateError: the preflight refused; nothing was trained.
    """
    verdict = run.reports / "preflight.json"
    preflight(run.task, spec, train, valid, verdict, run.runtime.num_workers)
    chosen = fit(spec, train, valid, run)
    model = {
        "outputs": spec.outputs or spec.targets.outputs,
        "image_size": int(train.images.shape[-2]),
        "channels": int(train.images.shape[-1]),
        "first_weights": first_weights,
    }
    write_record(run, chosen, model)
    forget_state(run)
