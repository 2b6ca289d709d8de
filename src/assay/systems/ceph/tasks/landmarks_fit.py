"""The plan of a landmark training: heatmaps or coordinates, and beside those, where asked, the stage."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from assay.jobs.train import train_model
from assay.learning.determinism import set_determinism
from assay.learning.targets import Classes, Joint, Points, target_points
from assay.learning.training_spec import TrainData, TrainingSpec
from assay.learning.vision.appearance import Appearance
from assay.learning.vision.codecs import Heatmap
from assay.learning.vision.geometry import Warp
from assay.learning.vision.losses import ClassLoss, CoordinateLoss, HeatmapLoss, JointLoss
from assay.runs.start import first_weights
from assay.systems.ceph.tasks import landmarks_model, points
from assay.systems.ceph.tasks.names import STAGES, SYMBOLS
from assay.systems.ceph.tasks.parts import make_parts

if TYPE_CHECKING:
    from assay.contract.task import Task
    from assay.learning.training_spec import Metrics
    from assay.learning.vision.codecs import Coordinates
    from assay.manifest.rows import Rows
    from assay.runs.run import Run
    from assay.systems.ceph.tasks.params import LandmarkParams, LandmarkTrain

Floats = npt.NDArray[np.float32]


def run_training(task: Task, train: Rows, valid: Rows, params: LandmarkParams, run: Run) -> None:
    """Build the network, and carry its plan out."""
    set_determinism(params.train.threads)
    first = first_weights(run.task, params.model.weights, params.model.backbone)
    network, start = landmarks_model.build(params.model, first, Path(), params.train.seed)
    codec = landmarks_model.make_codec(params.model, train.image.shape[1])
    spec = make_spec(task, network, codec, valid, params.train)
    stages = params.model.stages
    train_model(spec, make_set(train, stages), make_set(valid, stages), run, start)


def make_set(rows: Rows, stages: bool = False) -> TrainData:
    """Return what is trained on: points in stored px, and `stages`; the preflight leads it back."""
    placed, target = points.film_frame(rows), points.target(rows)
    stored, names = placed.stored(target).astype(np.float32), rows.columns["sample_id"]
    if not stages:
        return TrainData(rows.image, stored, target, names, placed.original)
    labels, targets = (_joined(each, points.stage(rows)) for each in (target, stored))

    def back(joint: points.Numbers) -> points.Numbers:
        return _joined(placed.original(target_points(joint)), joint[:, -1])

    return TrainData(rows.image, targets.astype(np.float32), labels, names, back)


def _joined(spots: points.Numbers, stage: points.Numbers) -> points.Numbers:
    """Return points (n, 29, 2) and stages (n,) as (n, 59)."""
    return np.concatenate([spots.reshape(len(spots), -1), stage[:, None]], axis=1)


def make_spec(
    task: Task,
    network: landmarks_model.Network,
    codec: Heatmap | Coordinates,
    valid: Rows,
    params: LandmarkTrain,
) -> TrainingSpec:
    """Return the training of `network`; epochs are scored in px of the original films."""
    truth, size = task.labels(valid), valid.image.shape[1]
    stages, spots = landmarks_model.says_stages(network), Points(SYMBOLS, size, size, gaps=True)

    def metrics(predictions: Floats, targets: Floats) -> Metrics:  # noqa: ARG001 - the plan's signature
        # The validation loader keeps the order of the rows and drops none.
        return task.metrics(task.restore(predictions, valid), truth)

    return TrainingSpec(
        network=network,
        loss=make_loss(codec, stages, params.cvm_loss_weight),
        preprocess=Appearance(params.brightness, params.noise),
        metrics=metrics,
        rank=task.rank,
        param_groups=make_parts(network, params),
        config=params,
        targets=Joint(spots, Classes(STAGES)) if stages else spots,
        geometry=Warp(
            size,
            params.degrees,
            (params.scale[0], params.scale[1]),
            params.translate,
            params.elastic,
        ),
        decode=partial(landmarks_model.decode, codec),
        outputs=landmarks_model.outputs(network),
    )


def make_loss(
    codec: Heatmap | Coordinates, stages: bool, weight: float
) -> HeatmapLoss | CoordinateLoss | JointLoss:
    """Return the loss of the codec's points, and with `stages` the weighted stage's beside it."""
    if isinstance(codec, Heatmap):
        return HeatmapLoss(codec)
    alone = CoordinateLoss(codec)
    return JointLoss(alone, ClassLoss(), weight) if stages else alone
