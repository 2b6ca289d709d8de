"""The plan of a single-modality training: SmoothL1, AdamW, two rates, warm-up and cosine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from assay.jobs.train import train_model
from assay.learning.backbone import ensure_takes
from assay.learning.determinism import set_determinism
from assay.learning.schedules import warmup_cosine
from assay.learning.targets import Values
from assay.learning.training_spec import ParamGroup, TrainData, TrainingSpec
from assay.learning.transforms import Preprocess
from assay.runs.start import first_weights
from assay.systems.hemoglobin.tasks import single_model

if TYPE_CHECKING:
    from assay.contract.task import Task
    from assay.learning.regression import Regressor
    from assay.manifest.rows import Rows
    from assay.runs.run import Run
    from assay.systems.hemoglobin.tasks.params import HbTrain, SingleParams

HB = Values(2.0, 25.0, "g/dL")  # what the label gate holds for possible


def run_training(task: Task, train: Rows, valid: Rows, params: SingleParams, run: Run) -> None:
    """Build the network, and carry its plan out."""
    set_determinism(params.train.threads)
    first = first_weights(run.task, params.model.weights, params.model.backbone)
    network, start = single_model.build(params.model, first, Path(), params.train.seed)
    ensure_takes(network.backbone, train.image.shape[1])
    learns, validates = (make_set(task, rows) for rows in (train, valid))
    network.head.start_at(torch.from_numpy(task.baseline(train, train)[0]))
    spec = make_spec(task, network, params.train, train.image.shape[1])
    train_model(spec, learns, validates, run, start)


def make_set(task: Task, rows: Rows) -> TrainData:
    """Return what is trained on; the preflight holds the targets against the manifest's Hb."""
    return TrainData(rows.image, task.labels(rows), rows.columns["hb"], rows.columns["sample_id"])


def make_spec(task: Task, network: Regressor, params: HbTrain, size: int) -> TrainingSpec:
    """Return the specification's training of `network`."""
    rates = (
        ("backbone", network.backbone, params.backbone_lr, params.backbone_lr_final),
        ("head", network.head, params.head_lr, params.head_lr_final),
    )
    parts = [
        ParamGroup(
            name,
            list(part.parameters()),
            warmup_cosine(params.epochs, params.warmup_epochs, peak, final),
            peak,
        )
        for name, part, peak, final in rates
    ]
    return TrainingSpec(
        network=network,
        loss=nn.SmoothL1Loss(beta=params.beta),
        preprocess=Preprocess(params.augment, size),
        metrics=task.metrics,
        rank=task.rank,
        param_groups=parts,
        config=params,
        targets=HB,
    )
