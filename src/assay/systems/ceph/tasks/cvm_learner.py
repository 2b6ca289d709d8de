"""The learner of the CVM task: the crop, then classes 0–5 of the rows that have one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from assay.errors import AssayError
from assay.learning.training_spec import TrainData
from assay.learning.vision.appearance import Appearance
from assay.learning.vision.classes import ClassHead, OrdinalHead, ordinal_probabilities
from assay.learning.vision.geometry import Warp
from assay.learning.vision.losses import ClassLoss, balanced_weights
from assay.systems.ceph.tasks import roi
from assay.systems.ceph.tasks.cvm_crop import FixedCrop, FoundCrop, empty_crop, tell_overlap
from assay.systems.ceph.tasks.cvm_networks import StageNetwork, make_features
from assay.systems.ceph.tasks.cvm_params import CvmParams
from assay.systems.ceph.tasks.detector import train_detector
from assay.systems.ceph.tasks.names import STAGES
from assay.tasks.class_learner import ClassLearner

if TYPE_CHECKING:
    from assay.learning.training_spec import PreparedTraining, TrainingSpec
    from assay.manifest.rows import Rows
    from assay.systems.ceph.tasks.cvm_crop import Crop


class CvmLearner(ClassLearner[CvmParams]):
    """A crop that is fitted on the training films, features of it, and a head."""

    def prepare(self, train: Rows, valid: Rows) -> PreparedTraining:
        """Return the training on the rows that have a stage; say how well a detector finds squares."""
        train, valid = with_stage(train), with_stage(valid)
        ready = super().prepare(train, valid)
        crop, rule = ready.spec.network.crop, self.params.model.roi
        if isinstance(crop, FoundCrop) and rule != "none":
            fixed = FixedCrop(roi.learn_region(train, rule), crop.side)
            tell_overlap(crop, fixed, valid, rule)
        return ready

    def make(self, weights: str) -> tuple[StageNetwork, str]:
        """Return the network, untrained behind an empty crop, and what its first weights are."""
        model = self.params.model
        features, width, start = make_features(model, weights)
        head = (OrdinalHead if model.head == "ordinal" else ClassHead)(
            width, len(STAGES), model.dropout
        )
        crop = empty_crop(model.finder == "detector", model.input_size)
        return StageNetwork(crop, features, head).train(), start

    def build(self, train: Rows) -> tuple[nn.Module, str]:
        """Return the network as it starts, behind the crop that the training films' points give."""
        crop = self.fitted_crop(train)
        network, start = super().build(train)
        network.crop = crop
        return network, start

    def fitted_crop(self, train: Rows) -> Crop:
        """Return what cuts the films, learned from the training films' points; see `roi`."""
        rule, side = self.params.model.roi, self.params.model.input_size
        if rule == "none":
            return FixedCrop(roi.full_frame(train.image.shape[1]), side)
        if self.params.model.finder == "fixed":
            return FixedCrop(roi.learn_region(train, rule), side)
        squares = roi.stored_squares(train, rule)
        there = roi.is_found(squares)
        images, seed = train.where(there).image, self.params.train.seed
        return FoundCrop(train_detector(images, squares[there], seed), side)

    def data(self, rows: Rows) -> TrainData:
        """Return the rows; the preflight holds the indices against the manifest's stages."""
        stage = rows.columns[self.task.column]
        return TrainData(
            rows.image, stage.astype(np.int64), stage, rows.columns["sample_id"],
            lambda classes: classes.astype(stage.dtype),
        )  # fmt: skip

    def decode(self, outputs: Tensor) -> Tensor:
        """Return the probability of each stage (b, 6)."""
        if self.params.model.head == "nominal":
            return super().decode(outputs)
        return ordinal_probabilities(outputs.float())

    def spec(self, network: nn.Module, train: Rows, valid: Rows) -> TrainingSpec:
        """Return the training of the network; what is trained of it stands behind the crop."""
        how, size = self.params.train, train.image.shape[1]
        return replace(
            super().spec(network, train, valid),
            loss=self.weighted_loss(train),
            preprocess=CvmTransform(
                Warp(size, how.degrees, (how.scale[0], how.scale[1]), how.translate),
                Appearance(how.brightness, how.noise),
            ),
            balanced=how.balance == "sampler",
        )

    def weighted_loss(self, train: Rows) -> ClassLoss:
        """Return the loss of the head; weights are taken from the training rows' classes."""
        how = self.params.train
        weights: tuple[float, ...] = ()
        if how.balance == "weights":
            classes = torch.from_numpy(self.data(train).targets)
            weights = balanced_weights(classes, len(STAGES))
        if self.params.model.head == "ordinal":
            return ClassLoss("coral", weights)
        return ClassLoss("focal" if how.focal_gamma else "cross_entropy", weights, how.focal_gamma)


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
