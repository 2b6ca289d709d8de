"""A training judged, run and recorded: the one way for every task with a learner."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from assay.gates.preflight import preflight
from assay.learning.fit import fit
from assay.runs.record import VERDICT, write_record

if TYPE_CHECKING:
    from assay.learning.training_spec import PreparedTraining
    from assay.runs.run import Run


def train_model(ready: PreparedTraining, run: Run) -> None:
    """Preflight, train, and leave weights, history and record in `run.folder`.

    Raises:
        GateError: the preflight refused; nothing was trained.
    """
    verdict, workers = run.reports / VERDICT, run.runtime.num_workers
    preflight(run.task, ready.spec, ready.train, ready.valid, verdict, workers)
    train_judged(ready, run)


def train_judged(ready: PreparedTraining, run: Run) -> None:
    """Train what a preflight has judged, and leave weights, history and record in `run.folder`."""
    spec = ready.spec
    chosen = fit(spec, ready.train, ready.valid, run)
    model = {
        "outputs": spec.outputs or spec.targets.outputs,
        "first_weights": ready.first_weights,
    }
    write_record(replace(run, facts={**run.facts, **ready.facts}), chosen, model)
