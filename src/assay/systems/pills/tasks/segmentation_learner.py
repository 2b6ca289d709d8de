"""The learner of the segmentation: a U-Net to a class a cell; cross-entropy and Dice, one rate."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from assay.learning.training_spec import TrainData, TrainingSpec
from assay.learning.transfer import carry_over, holds_network
from assay.learning.vision.appearance import Appearance
from assay.learning.vision.networks import small_unet, timm_unet
from assay.sections.task import NONE
from assay.systems.pills.learning.segmentation_loss import SegmentationLoss
from assay.systems.pills.learning.segmentation_target import MaskTarget, judge_together
from assay.systems.pills.learning.segmentation_views import Together
from assay.systems.pills.tasks import segmentation_masks
from assay.systems.pills.tasks.segmentation_params import SegmentationParams
from assay.tasks.learner import Learner
from assay.tasks.plain_learner import one_rate

if TYPE_CHECKING:
    from assay.learning.training_spec import Floats, Metrics, Targets
    from assay.learning.vision.networks import HeatmapNetwork
    from assay.manifest.rows import Rows

HEAD = "head.weight"  # (classes, features, 1, 1)
# Of its first weights. Landmark maps begin at 0.001; from there classes that look alike begin alike, and
# stay so: a mean IoU of 0.46 after the demo's 24 epochs, 0.91 from 0.1.
SPREAD = 0.1


class SegmentationLearner(Learner[SegmentationParams]):
    """Image and mask are moved together.

    Attributes:
        classes: how many the network tells apart: those of the training rows, or of trained weights.
    """

    classes: int

    def build(self, train: Rows) -> tuple[nn.Module, str]:
        """Return the network as it starts."""
        self.classes = len(segmentation_masks.names_of(train))
        return super().build(train)

    def empty(self, state: Mapping[str, Tensor]) -> nn.Module:
        """Return a network of as many classes as the trained tensors have."""
        self.classes = len(state[HEAD])
        return super().empty(state)

    def make(self, weights: str) -> tuple[HeatmapNetwork, str]:
        """Return the untrained network, and what its first weights are: see `model.weights`."""
        model = self.params.model
        carries = holds_network(Path(weights)) or (
            model.network == "small_unet" and weights != NONE
        )
        if model.network == "small_unet":
            network, start = small_unet(self.classes, model.stride), NONE
        else:
            first = NONE if carries else weights
            network, start = timm_unet(model.backbone, first, Path(), self.classes, model.stride)
        nn.init.normal_(network.head.weight, std=SPREAD)
        if carries:
            start = carry_over(network, Path(weights))
        return network.train(), start

    def decode(self, outputs: Tensor) -> Tensor:
        """Return the likeliest class of each cell, float (b, h·w), of logits (b, classes, h, w)."""
        return outputs.argmax(dim=1).flatten(1).float()

    def to_labels(self, predictions: Floats, rows: Rows) -> Floats:
        """Return maps of any stride in the cells of the labels; nan on the bars."""
        stored = segmentation_masks.spread(predictions, rows.image.shape[1])
        return segmentation_masks.within(segmentation_masks.majority_class(stored), rows)

    def data(self, rows: Rows) -> TrainData:
        """Return what is trained on; masks are held against the manifest's by their check sums."""
        masks = segmentation_masks.masks_of(rows)
        return TrainData(rows.image, masks, checksums(masks), rows.columns["sample_id"], checksums)

    def spec(self, network: nn.Module, train: Rows, valid: Rows) -> TrainingSpec:
        """Return the training of `network`; epochs are scored as predictions are."""
        how, truth, size = self.params.train, self.task.labels(valid), train.image.shape[1]
        names = segmentation_masks.names_of(train)
        masks = MaskTarget(names, size, size, self.params.model.stride)
        together = Together(how.fliplr, how.degrees, (how.scale[0], how.scale[1]), how.translate)
        loss = SegmentationLoss(how.dice)

        def metrics(predictions: Floats, targets: Targets) -> Metrics:  # noqa: ARG001 - the plan's signature
            # The validation loader keeps the order of the rows and drops none.
            return self.task.metrics(self.to_labels(predictions, valid), truth)

        return TrainingSpec(
            network=network,
            loss=loss,
            preprocess=Appearance(how.brightness, how.noise),
            metrics=metrics,
            rank=self.task.rank,
            param_groups=[one_rate(network, how)],
            config=how,
            drop_last=how.drop_last,
            targets=masks,
            decode=self.decode,
            loss_terms=loss.terms,
            invariants=lambda: [judge_together(masks, together)],
            together=together,
        )


def checksums(masks: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return a number a mask (n,) that another mask has not: CRC 32, which a float64 holds exactly."""
    return np.array([zlib.crc32(mask.tobytes()) for mask in masks], np.float64)
