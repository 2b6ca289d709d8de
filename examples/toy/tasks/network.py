"""The network of the toy task, and its plan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from safetensors.torch import load_file
from torch import nn

from assay.jobs.train import train_model
from assay.learning.determinism import reseed, set_determinism
from assay.learning.inference import predict_batches
from assay.learning.schedules import warmup_cosine
from assay.learning.targets import Values
from assay.learning.training_spec import ParamGroup, TrainData, TrainingSpec
from assay.learning.transforms import Preprocess, normalise

if TYPE_CHECKING:
    from assay.systems.toy.tasks.params import ToyTaskParams

    from assay.contract.task import Predictor, Task
    from assay.manifest.rows import Rows
    from assay.runs.run import Run


def build(channels: int) -> nn.Sequential:
    """Return the untrained network."""
    convolution = nn.Conv2d(3, channels, 3)
    return nn.Sequential(convolution, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 1))


def run_training(task: Task, train: Rows, valid: Rows, params: ToyTaskParams, run: Run) -> None:
    """Build the network, and carry its plan out."""
    own = params.train
    set_determinism(own.threads)
    reseed(own.seed)
    network = build(params.model.channels)
    learns, validates = (
        TrainData(rows.image, task.labels(rows), rows.columns["level"], rows.columns["sample_id"])
        for rows in (train, valid)
    )
    schedule = warmup_cosine(own.epochs, 0, own.lr, own.lr / 10)
    plan = TrainingSpec(
        network=network,
        loss=nn.MSELoss(),
        preprocess=Preprocess((), train.image.shape[1]),
        metrics=task.metrics,
        rank=task.rank,
        param_groups=[ParamGroup("all", list(network.parameters()), schedule, own.lr)],
        config=own,
        targets=Values(0, 1),
    )
    train_model(plan, learns, validates, run, "none")


def load(weights: Path, params: ToyTaskParams) -> Predictor:
    """Return the trained network as a function of uint8 images."""
    network = build(params.model.channels).eval()
    network.load_state_dict(load_file(weights))
    return lambda images: predict_batches(
        network, lambda stored: network(normalise(stored)), images, params.train
    )
