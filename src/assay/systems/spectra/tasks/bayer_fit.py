"""The plan of a training: structures and their twins, AdamW, warm-up and cosine, terms logged apart."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

import numpy as np
from torch import nn

from assay.jobs.train import train_model
from assay.learning.determinism import set_determinism
from assay.learning.schedules import warmup_cosine
from assay.learning.targets import Values
from assay.learning.training_spec import ParamGroup, TrainData, TrainingSpec
from assay.systems.spectra.learning.laws import GREEN
from assay.systems.spectra.learning.losses import LOSSES
from assay.systems.spectra.learning.symmetric_copies import SymmetricCopies
from assay.systems.spectra.optics.symmetry import SYMMETRIES
from assay.systems.spectra.tasks import bayer_model
from assay.systems.spectra.tasks.invariants import judge_invariants
from assay.systems.spectra.tasks.names import as_cells

if TYPE_CHECKING:
    from assay.contract.task import Task
    from assay.learning.training_spec import Floats, Images, Metrics, Targets
    from assay.manifest.rows import Rows
    from assay.runs.run import Run
    from assay.systems.spectra.learning.loss import Loss
    from assay.systems.spectra.tasks.params import BayerParams, BayerTrain


def run_training(task: Task, train: Rows, valid: Rows, params: BayerParams, run: Run) -> None:
    """Make the twins, build the network about their mean, and carry its plan out."""
    set_determinism(params.train.threads)
    learns = make_copies(task, train, params.train)
    network = bayer_model.build(params.model, learns.targets.shape[-1], params.train.seed)
    bayer_model.set_spectra_mean(network, learns.targets)
    print(
        f"symmetry {params.train.symmetry}: {len(train)} structures, {len(learns.images)} views",
        flush=True,
    )
    spec = make_spec(task, network, train, params)
    train_model(spec, learns, make_set(task, valid), run, "none")


def make_set(task: Task, rows: Rows) -> TrainData:
    """Return structures as they stand; of validation there are no twins."""
    spectra = as_cells(task.labels(rows))
    return TrainData(rows.image, spectra, spectra, rows.columns["sample_id"])


def make_copies(task: Task, rows: Rows, how: BayerTrain) -> TrainData:
    """Return every distinct view of the rows; the preflight leads its spectra back to the manifest's."""
    spectra = as_cells(task.labels(rows))
    twins = SymmetricCopies(rows.image, spectra, SYMMETRIES[how.symmetry])
    return TrainData(
        cast("Images", twins), twins.spectra(spectra), spectra[twins.rows],
        rows.columns["sample_id"][twins.rows], twins.undone,
    )  # fmt: skip


def make_spec(task: Task, network: nn.Module, train: Rows, params: BayerParams) -> TrainingSpec:
    """Return the training of `network`; epochs are scored as predictions are, but not averaged."""
    how, spectra = params.train, as_cells(task.labels(train))
    loss = make_loss(how)

    def metrics(predictions: Floats, targets: Targets) -> Metrics:
        return task.metrics(*(each.reshape(len(each), -1) for each in (predictions, targets)))

    learning = [value for value in network.parameters() if value.requires_grad]
    schedule = warmup_cosine(how.epochs, how.warmup_share * how.epochs, how.lr, how.lr_final)
    return TrainingSpec(
        network=network,
        loss=loss,
        preprocess=bayer_model.Structures(params.model.input_size),
        metrics=metrics,
        rank=task.rank,
        param_groups=[ParamGroup("network", learning, schedule, how.lr)],
        config=how,
        targets=Values(-GREEN, 1 + GREEN, shape=spectra.shape[1:]),
        loss_terms=loss.terms,
        invariants=partial(
            judge_invariants,
            how.symmetry,
            train.image,
            spectra,
            np.asarray(train.columns["sample_id"]),
        ),
    )


def make_loss(how: BayerTrain) -> Loss:
    """Return the loss with those of the section's weights that it has; others keep its own."""
    own = vars(LOSSES[how.loss]())
    return LOSSES[how.loss](**{name: getattr(how, name) for name in own if hasattr(how, name)})
