"""The plan of a landmark training: heatmaps or coordinates, AdamW, warm-up and cosine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from assay.gates.training import carry_out
from assay.learning.determinism import settle
from assay.learning.landmarks.appearance import Appearance
from assay.learning.landmarks.codecs import Coordinates, Heatmap
from assay.learning.landmarks.geometry import Warp
from assay.learning.landmarks.losses import CoordinateLoss, HeatmapLoss
from assay.learning.plan import Metrics, Part, Plan, Set
from assay.learning.schedules import after, warmup_cosine
from assay.learning.targets import Points
from assay.systems.ceph.tasks import landmarks_model, points
from assay.systems.ceph.tasks.names import SYMBOLS

if TYPE_CHECKING:
    from assay.contract import Task
    from assay.manifest.rows import Rows
    from assay.runs.run import Run
    from assay.systems.ceph.tasks.sections import LandmarkParams, LandmarkTrain

Floats = npt.NDArray[np.float32]


def run_training(task: Task, train: Rows, valid: Rows, params: LandmarkParams, run: Run) -> None:
    """Build the network, and carry its plan out."""
    settle(params.train.threads)
    network, start = landmarks_model.build(
        params.model, params.model.weights, run.root, params.train.seed
    )
    codec = landmarks_model.make_codec(params.model, train.images.shape[1])
    plan = make_plan(task, network, codec, valid, params.train)
    carry_out(plan, make_set(train), make_set(valid), run, start)


def make_set(rows: Rows) -> Set:
    """Return what is trained on: the readers' mean in stored px; the preflight leads it back."""
    placed = points.frame(rows)
    target = points.target(rows)

    def back(stored: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        found: npt.NDArray[np.float64] = placed.original(stored)
        return found

    stored = placed.stored(target).astype(np.float32)
    return Set(rows.images, stored, target, rows.columns["sample_id"], back)


def make_plan(
    task: Task,
    network: landmarks_model.Network,
    codec: Heatmap | Coordinates,
    valid: Rows,
    params: LandmarkTrain,
) -> Plan:
    """Return the training of `network`; epochs are scored in px of the original films."""
    truth, size = task.labels(valid), valid.images.shape[1]

    def metrics(outputs: Floats, targets: Floats) -> Metrics:  # noqa: ARG001 - the plan's signature
        # The validation loader keeps the order of the rows and drops none.
        found = codec.decode(torch.from_numpy(outputs)).flatten(1).float().numpy()
        return task.metrics(task.restore(found, valid), truth)

    return Plan(
        network=network,
        loss=HeatmapLoss(codec) if isinstance(codec, Heatmap) else CoordinateLoss(codec),
        prepare=Appearance(params.brightness, params.noise),
        metrics=metrics,
        rank=task.rank,
        parts=make_parts(network, params),
        loop=params,
        targets=Points(SYMBOLS, size, size, gaps=True),
        geometry=Warp(
            size, params.rotation, (params.scale[0], params.scale[1]), params.shift, params.elastic
        ),
    )


def make_parts(network: landmarks_model.Network, params: LandmarkTrain) -> list[Part]:
    """Return backbone and head, each with its rate; the backbone may stand still at first.

    The head's cosine runs over all epochs, the backbone's, with a warm-up of its own, over those in
    which it learns; both end at the same share of their peak.
    """
    slow, ratio = landmarks_model.backbone(network), params.backbone_lr / params.lr
    own = {id(value) for value in slow.parameters()}
    learning = warmup_cosine(
        params.epochs - params.freeze_epochs,
        params.warmup,
        params.backbone_lr,
        params.lr_final * ratio,
    )
    backbone = Part(
        "backbone",
        list(slow.parameters()),
        after(params.freeze_epochs, learning),
        params.backbone_lr,
        slow if params.freeze_epochs else None,
    )
    backbone.enter(0)
    head = [value for value in network.parameters() if id(value) not in own]
    schedule = warmup_cosine(params.epochs, params.warmup, params.lr, params.lr_final)
    return [backbone, Part("head", head, schedule, params.lr)]
