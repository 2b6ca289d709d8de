"""The learner of the landmark task: heatmaps or coordinates, and beside those, where asked, the stage."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor, nn

from assay.learning.backbone import ensure_takes
from assay.learning.targets import Classes, Joint, Points, target_points
from assay.learning.training_spec import TrainData, TrainingSpec
from assay.learning.transforms import normalise
from assay.learning.vision.appearance import Appearance
from assay.learning.vision.classes import nominal_probabilities
from assay.learning.vision.codecs import Coordinates, Heatmap
from assay.learning.vision.geometry import Warp
from assay.learning.vision.losses import ClassLoss, CoordinateLoss, HeatmapLoss, JointLoss
from assay.systems.ceph.tasks import points
from assay.systems.ceph.tasks.landmarks_networks import make_network
from assay.systems.ceph.tasks.names import STAGES, SYMBOLS
from assay.systems.ceph.tasks.params import LandmarkParams
from assay.systems.ceph.tasks.parts import make_parts
from assay.tasks.learner import Learner

if TYPE_CHECKING:
    from assay.contract.scored import Floats
    from assay.learning.training_spec import Metrics, Targets
    from assay.manifest.rows import Rows
    from assay.systems.ceph.tasks.landmarks_networks import Network

Codec = Coordinates | Heatmap


class LandmarksLearner(Learner[LandmarkParams]):
    """Maps of each landmark, or coordinates; what they say is read in px of the stored image."""

    def make(self, weights: str) -> tuple[Network, str]:
        """Return the untrained network, and what its first weights are."""
        return make_network(self.params.model, weights)

    def build(self, train: Rows) -> tuple[nn.Module, str]:
        """Return the network, once it has taken an image of this size."""
        network, start = super().build(train)
        ensure_takes(network, train.image.shape[1], f"{self.task.data}.ingest.size")
        return network, start

    def codec(self, size: int) -> Codec:
        """Return what stands between points in stored px and the network's outputs."""
        model = self.params.model
        if model.network == "coordinates":
            return Coordinates(size)
        return Heatmap(size, model.stride, model.sigma, model.decoder, model.logits)

    def read(self, network: nn.Module, images: Tensor) -> Tensor:
        """Return predictions (b, 58, 64 or 87), stored px, of uint8 images (b, size, size, 3)."""
        said: Tensor = network(normalise(images))
        return decode(self.codec(images.shape[1]), said.float().cpu())

    def to_labels(self, predictions: Floats, rows: Rows) -> Floats:
        """Return predictions in px of the original films."""
        return points.restored(predictions, rows)

    def data(self, rows: Rows) -> TrainData:
        """Return what is trained on: points in stored px, and stages; the preflight leads it back."""
        placed, target = points.film_frame(rows), points.target(rows)
        stored, names = placed.stored(target).astype(np.float32), rows.columns["sample_id"]
        if not self.params.model.stages:
            return TrainData(rows.image, stored, target, names, placed.original)
        labels, targets = (_joined(each, points.stage(rows)) for each in (target, stored))

        def back(joint: points.Numbers) -> points.Numbers:
            return _joined(placed.original(target_points(joint)), joint[:, -1])

        return TrainData(rows.image, targets.astype(np.float32), labels, names, back)

    def spec(self, network: nn.Module, train: Rows, valid: Rows) -> TrainingSpec:
        """Return the training of the network; epochs are scored in px of the original films."""
        how, truth, size = self.params.train, self.task.labels(valid), valid.image.shape[1]
        codec, spots = self.codec(size), Points(SYMBOLS, size, size, gaps=True)
        stages = self.params.model.stages

        def metrics(predictions: Floats, targets: Targets) -> Metrics:  # noqa: ARG001 - the plan's signature
            # The validation loader keeps the order of the rows and drops none.
            return self.task.metrics(self.to_labels(predictions, valid), truth)

        return TrainingSpec(
            network=network,
            loss=self.loss(codec),
            preprocess=Appearance(how.brightness, how.noise),
            metrics=metrics,
            rank=self.task.rank,
            param_groups=make_parts(cast("Network", network), how),
            config=how,
            targets=Joint(spots, Classes(STAGES)) if stages else spots,
            geometry=Warp(
                size, how.degrees, (how.scale[0], how.scale[1]), how.translate, how.elastic
            ),
            decode=partial(decode, codec),
            outputs=self.outputs,
        )

    @property
    def outputs(self) -> int:
        """Return how many numbers a prediction has; see `points.said`."""
        if self.params.model.network != "coordinates":
            return 3 * len(SYMBOLS)
        return points.FLAT + (len(STAGES) if self.params.model.stages else 0)

    def loss(self, codec: Codec) -> HeatmapLoss | CoordinateLoss | JointLoss:
        """Return the loss of the codec's points, and with stages the weighted stage's beside it."""
        if isinstance(codec, Heatmap):
            return HeatmapLoss(codec)
        alone = CoordinateLoss(codec)
        if not self.params.model.stages:
            return alone
        return JointLoss(alone, ClassLoss(), self.params.train.cvm_loss_weight)


def decode(codec: Codec, said: Tensor) -> Tensor:
    """Return predictions (b, 58, 64 or 87), stored px, of a network's outputs; see `points.said`."""
    if isinstance(codec, Heatmap):
        return torch.cat([codec.decode(said).flatten(1), codec.uncertainty(said)], dim=1)
    if said.ndim == 3:
        return codec.decode(said).flatten(1)
    coordinates, logits = said[:, : points.FLAT], said[:, points.FLAT :].float()
    return torch.cat([codec.decode(coordinates), nominal_probabilities(logits)], dim=1)


def _joined(spots: points.Numbers, stage: points.Numbers) -> points.Numbers:
    """Return points (n, 29, 2) and stages (n,) as (n, 59)."""
    return np.concatenate([spots.reshape(len(spots), -1), stage[:, None]], axis=1)
