"""The plan of a CVM training: classes 0–5, absent stages left out, AdamW, warm-up and cosine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from assay.errors import AssayError
from assay.jobs.train import train_model
from assay.learning.determinism import set_determinism
from assay.learning.schedules import warmup_cosine
from assay.learning.targets import Classes
from assay.learning.training_spec import ParamGroup, TrainData, TrainingSpec
from assay.learning.vision.appearance import Appearance
from assay.learning.vision.geometry import Warp
from assay.learning.vision.losses import ClassLoss, balanced_weights
from assay.runs.start import first_weights
from assay.systems.ceph.tasks import cvm_model, roi
from assay.systems.ceph.tasks.cvm_crop import FixedCrop, FoundCrop
from assay.systems.ceph.tasks.detector import overlap, train_detector
from assay.systems.ceph.tasks.names import STAGES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.contract.task import Task
    from assay.learning.training_spec import Floats, Metrics, Targets
    from assay.manifest.rows import Rows
    from assay.runs.run import Run
    from assay.systems.ceph.tasks.cvm_model import StageNetwork
    from assay.systems.ceph.tasks.cvm_params import CvmParams


def run_training(task: Task, train: Rows, valid: Rows, params: CvmParams, run: Run) -> None:
    """Build the network, and carry its plan out on the rows that have a stage."""
    set_determinism(params.train.threads)
    train, valid = with_stage(train), with_stage(valid)
    first = first_weights(run.task, params.model.weights, params.model.backbone)
    crop = make_crop(train, valid, params)
    network, start = cvm_model.build(params.model, crop, first, Path(), params.train.seed)
    learns, validates = make_set(train), make_set(valid)
    spec = make_spec(task, network, params, learns)
    train_model(spec, learns, validates, run, start)


def make_crop(train: Rows, valid: Rows, params: CvmParams) -> cvm_model.Crop:
    """Return what cuts the films, learned from the training films' points; see `roi`."""
    rule, side = params.model.roi, params.model.input_size
    if rule == "none":
        return FixedCrop(roi.full_frame(train.image.shape[1]), side)
    fixed = FixedCrop(roi.learn_region(train, rule), side)
    if params.model.finder == "fixed":
        return fixed
    squares = roi.stored_squares(train, rule)
    there = roi.is_found(squares)
    detector = train_detector(train.where(there).image, squares[there], params.train.seed)
    found = FoundCrop(detector, side)
    _tell_overlap(found, fixed, valid, rule)
    return found


def _tell_overlap(found: FoundCrop, fixed: FixedCrop, valid: Rows, rule: Sequence[float]) -> None:
    """Say how well the squares of the validation films are found, beside the one for all."""
    wanted = roi.stored_squares(valid, rule)
    there = roi.complete(wanted)
    if not there.any():
        print("detector: no validation film has the rule's five points", flush=True)
        return
    films = valid.where(there)
    own, one = (
        overlap(cvm_model.crop_squares(crop, films.image), wanted[there]) for crop in (found, fixed)
    )
    print(
        f"detector: intersection over union with the rule's squares of {there.sum()} validation"
        f" films: mean {own.mean():.2f}, least {own.min():.2f}; one region for all: {one.mean():.2f}",
        flush=True,
    )


def with_stage(rows: Rows) -> Rows:
    """Return the rows that have a stage.

    Raises:
        AssayError: none has.
    """
    there = ~np.isnan(rows.columns["cvm"].astype(np.float64))
    if not there.any():
        raise AssayError(
            "ceph-cvm",
            f"no CVM stage on any of {len(rows)} films",
            "stages in train and in validation",
            "name a source with Annotations/CVM Stages: -S ceph.source=<folder>",
        )
    return rows.where(there)


def make_set(rows: Rows) -> TrainData:
    """Return what is trained on: class indices, which the preflight holds against the manifest's."""
    stage = rows.columns["cvm"]
    return TrainData(
        rows.image, stage.astype(np.int64), stage, rows.columns["sample_id"],
        lambda classes: classes.astype(stage.dtype),
    )  # fmt: skip


@dataclass(frozen=True)
class CvmTransform:
    """Films moved, lit and normalised; the stage moves with none of it."""

    warp: Warp
    appearance: Appearance

    def __call__(self, images: Tensor, training: bool) -> Tensor:
        """Return uint8 images (b, h, w, 3) as normalised float (b, 3, h, w)."""
        if training:
            images = self.warp.images(images, self.warp.draw(len(images)))
        return self.appearance(images, training)


def make_spec(
    task: Task, network: StageNetwork, params: CvmParams, train: TrainData
) -> TrainingSpec:
    """Return the training of `network`; epochs are scored as predictions are."""
    how, size = params.train, train.images.shape[1]

    def metrics(outputs: Floats, targets: Targets) -> Metrics:
        said = cvm_model.probabilities(params.model, torch.from_numpy(outputs)).numpy()
        return task.metrics(said, targets.astype(np.float32)[:, None])

    return TrainingSpec(
        network=network,
        loss=make_loss(params, train.targets),
        preprocess=CvmTransform(
            Warp(size, how.degrees, (how.scale[0], how.scale[1]), how.translate),
            Appearance(how.brightness, how.noise),
        ),
        metrics=metrics,
        rank=task.rank,
        param_groups=[
            ParamGroup(
                "network",
                [*network.features.parameters(), *network.head.parameters()],
                warmup_cosine(how.epochs, how.warmup_epochs, how.lr, how.lr_final),
                how.lr,
            )
        ],
        config=how,
        targets=Classes(STAGES),
        balanced=how.balance == "sampler",
    )


def make_loss(params: CvmParams, classes: Targets) -> ClassLoss:
    """Return the loss of the head; weights are taken from the training rows' classes."""
    weights: tuple[float, ...] = ()
    if params.train.balance == "weights":
        weights = balanced_weights(torch.from_numpy(classes), len(STAGES))
    if params.model.head == "ordinal":
        return ClassLoss("coral", weights)
    if params.train.focal_gamma:
        return ClassLoss("focal", weights, params.train.focal_gamma)
    return ClassLoss("cross_entropy", weights)
