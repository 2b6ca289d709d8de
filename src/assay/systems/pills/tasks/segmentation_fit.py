"""The plan of a segmentation: image and mask moved together, cross-entropy and Dice, one rate."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from assay.jobs.train import train_model
from assay.learning.determinism import set_determinism
from assay.learning.schedules import warmup_cosine
from assay.learning.training_spec import ParamGroup, TrainData, TrainingSpec
from assay.learning.vision.appearance import Appearance
from assay.runs.start import first_weights
from assay.systems.pills.learning.segmentation_loss import SegmentationLoss
from assay.systems.pills.learning.segmentation_target import MaskTarget, judge_together
from assay.systems.pills.learning.segmentation_views import Together
from assay.systems.pills.tasks import segmentation_masks, segmentation_model

if TYPE_CHECKING:
    from torch import nn

    from assay.contract.task import Task
    from assay.learning.training_spec import Floats, Metrics, Targets
    from assay.manifest.rows import Rows
    from assay.runs.run import Run
    from assay.systems.pills.tasks.segmentation_params import (
        SegmentationParams,
        SegmentationTrain,
    )


def run_training(
    task: Task, train: Rows, valid: Rows, params: SegmentationParams, run: Run
) -> None:
    """Build the network, and carry its plan out."""
    set_determinism(params.train.threads)
    names = segmentation_masks.names_of(train)
    first = first_weights(run.task, params.model.weights, params.model.backbone)
    network, start = segmentation_model.build(
        params.model, len(names), first, Path(), params.train.seed
    )
    learns, validates = make_set(train), make_set(valid)
    size = train.image.shape[1]
    masks = MaskTarget(names, size, size, params.model.stride)
    plan = make_spec(task, network, masks, valid, params.train)
    train_model(plan, learns, validates, run, start)


def make_set(rows: Rows) -> TrainData:
    """Return what is trained on; masks are held against the manifest's by their check sums."""
    masks = segmentation_masks.masks_of(rows)
    return TrainData(rows.image, masks, checksums(masks), rows.columns["sample_id"], checksums)


def checksums(masks: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return a number a mask (n,) that another mask has not: CRC 32, which a float64 holds exactly."""
    return np.array([zlib.crc32(mask.tobytes()) for mask in masks], np.float64)


def make_spec(
    task: Task,
    network: nn.Module,
    masks: MaskTarget,
    valid: Rows,
    how: SegmentationTrain,
) -> TrainingSpec:
    """Return the training of `network`; epochs are scored as predictions are."""
    truth = task.labels(valid)
    together = Together(how.fliplr, how.degrees, (how.scale[0], how.scale[1]), how.translate)
    loss = SegmentationLoss(how.dice)

    def metrics(predictions: Floats, targets: Targets) -> Metrics:  # noqa: ARG001 - the plan's signature
        # The validation loader keeps the order of the rows and drops none.
        return task.metrics(task.restore(predictions, valid), truth)

    schedule = warmup_cosine(how.epochs, how.warmup_epochs, how.lr, how.lr_final)
    return TrainingSpec(
        network=network,
        loss=loss,
        preprocess=Appearance(how.brightness, how.noise),
        metrics=metrics,
        rank=task.rank,
        param_groups=[ParamGroup("network", list(network.parameters()), schedule, how.lr)],
        config=how,
        drop_last=how.drop_last,
        targets=masks,
        decode=segmentation_model.decode,
        loss_terms=loss.terms,
        invariants=lambda: [judge_together(masks, together)],
        together=together,
    )
