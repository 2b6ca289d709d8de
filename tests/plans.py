"""Small real plans of every kind of target, honest ones, and the preflight's answer to a plan."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.transforms.v2 import functional as moving

from assay.errors import GateError
from assay.gates.preflight import preflight
from assay.learning.determinism import reseed, set_determinism
from assay.learning.schedules import Piece, warmup_cosine
from assay.learning.targets import Classes, Joint, Points, Values, target_points
from assay.learning.training_spec import ParamGroup, TrainData, TrainingSpec
from assay.learning.transforms import Preprocess
from assay.learning.vision.codecs import Coordinates
from assay.learning.vision.losses import ClassLoss, CoordinateLoss, JointLoss
from assay.runs.files import read_json
from assay.sections.task import Train

SIZE, COUNT = 16, 24
LOOP = Train(
    fold=0, epochs=2, batch_size=8, weight_decay=0.0, seed=1, threads=1, device="cpu",
    precision="32-true",
)  # fmt: skip
RATE = warmup_cosine(2, 0, 1e-3, 1e-4)
Made = tuple[TrainingSpec, TrainData]
STAGES = ("CS1", "CS2", "CS3")
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, SIZE, SIZE, 3), dtype=np.uint8)
IDS = np.array([f"s{number}" for number in range(COUNT)])
LEVELS = np.round(np.linspace(8, 16, COUNT), 1)
SPOTS = np.random.default_rng(1).uniform(4, 12, (COUNT, 2, 2))


class Head(nn.Sequential):
    """Pixels → numbers, with all that makes a network awkward: batch norm, dropout, ReLU."""

    def __init__(self, outputs: int, start: float = 0.0) -> None:
        super().__init__(
            nn.Flatten(), nn.Linear(3 * SIZE * SIZE, 16), nn.BatchNorm1d(16), nn.ReLU(),
            nn.Dropout(0.3), nn.Linear(16, outputs),
        )  # fmt: skip
        nn.init.constant_(self[5].bias, start)


class Landmarks(nn.Module):
    """Image → two points, px."""

    def __init__(self) -> None:
        super().__init__()
        self.head = Head(4, start=8.0)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(images).reshape(-1, 2, 2)


class Maps(nn.Module):
    """Image → a map for each of two points."""

    def __init__(self) -> None:
        super().__init__()
        self.head = Head(2 * SIZE * SIZE)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(images).reshape(-1, 2, SIZE, SIZE)


def map_loss(maps: Tensor, targets: Tensor) -> Tensor:
    """Compare with Gaussians of sigma 2 px around the points."""
    x, y = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="xy")
    apart = (x - targets[..., :1, None]) ** 2 + (y - targets[..., 1:, None]) ** 2
    return nn.functional.mse_loss(maps, torch.exp(-apart / 8))


class Two(nn.Module):
    """Two images → a number; the first one's backbone stays frozen, the second's is thawed later."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = Head(8), Head(8), nn.Linear(16, 1)
        nn.init.constant_(self.head.bias, 12.0)
        for frozen in (self.first, self.second):
            frozen.eval().requires_grad_(False)

    def forward(self, views: tuple[Tensor, Tensor]) -> Tensor:
        return self.head(torch.cat([self.first(views[0]), self.second(views[1])], dim=1))


class Turn:
    """Turns images and points by up to 10° about the middle of the frame."""

    def draw(self, count: int) -> Tensor:
        return torch.rand(count) * 20 - 10

    def images(self, images: Tensor, moves: Tensor) -> Tensor:
        pairs = zip(images.permute(0, 3, 1, 2), moves.tolist(), strict=True)
        turned = [
            moving.rotate(image, angle, moving.InterpolationMode.BILINEAR) for image, angle in pairs
        ]
        return torch.stack(turned).permute(0, 2, 3, 1)

    def points(self, points: Tensor, moves: Tensor) -> Tensor:
        angle, middle = -moves.deg2rad()[:, None], (SIZE - 1) / 2
        x, y = (points - middle).unbind(-1)
        sine, cosine = angle.sin(), angle.cos()
        return torch.stack([x * cosine - y * sine, x * sine + y * cosine], dim=-1) + middle

    def back(self, points: Tensor, moves: Tensor) -> Tensor:
        return self.points(points, -moves)


def part(name: str, module: nn.Module, schedule: Any = RATE) -> ParamGroup:
    return ParamGroup(name, list(module.parameters()), schedule, 1e-3)


def errors(predictions: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Return the mean error, or the share of wrong classes."""
    if targets.ndim == 1:
        return {"mae": float((predictions.argmax(axis=1) != targets).mean())}
    if predictions.ndim == 4 or predictions.shape != targets.shape:
        return {"mae": float(predictions.mean())}
    return {"mae": float(abs(predictions - targets).mean())}


def make(network: nn.Module, kind: Any, loss: Any, preprocess: Any = None) -> TrainingSpec:
    preprocess = preprocess or Preprocess(["hflip", "vflip"], SIZE)
    return TrainingSpec(
        network, loss, preprocess, errors, lambda row: (row["mae"],), [part("all", network)], LOOP, kind,
    )  # fmt: skip


def values() -> Made:
    reseed(1)
    kind = Values(2, 25, "g/dL")
    spec = make(Head(1, start=12.0), kind, nn.SmoothL1Loss())
    return spec, TrainData(IMAGES, LEVELS.astype(np.float32)[:, None], LEVELS, IDS)


def classes() -> Made:
    reseed(1)
    targets = np.arange(COUNT) % 3
    spec = make(Head(3), Classes(STAGES), nn.CrossEntropyLoss(label_smoothing=0.1))
    return spec, TrainData(IMAGES, targets, np.array(STAGES)[targets], IDS)


def points() -> Made:
    reseed(1)
    network, kind = Landmarks(), Points(("S", "N"), SIZE, SIZE)
    spec = replace(make(network, kind, nn.SmoothL1Loss(), Preprocess((), SIZE)), geometry=Turn())
    # The labels are in px of originals three times as large; the set knows the way back.
    return spec, TrainData(
        IMAGES, SPOTS.astype(np.float32), SPOTS * 3, IDS, lambda spots: spots * 3
    )


def heatmaps() -> Made:
    reseed(1)
    spec, rows = points()
    network = Maps()
    return replace(spec, network=network, param_groups=[part("all", network)], loss=map_loss), rows


def joint() -> Made:
    """Two points and a class from one network; a point and a class are absent here and there."""
    reseed(1)
    kind = Joint(Points(("S", "N"), SIZE, SIZE, gaps=True), Classes(STAGES))
    loss = JointLoss(CoordinateLoss(Coordinates(SIZE)), ClassLoss(), 10.0)
    spec = replace(make(Head(7), kind, loss, Preprocess((), SIZE)), geometry=Turn())
    targets = np.concatenate([SPOTS.reshape(COUNT, 4), np.arange(COUNT)[:, None] % 3], axis=1)
    targets[::5, 4] = targets[1, 2:4] = np.nan

    def back(stored: np.ndarray) -> np.ndarray:
        found = stored.copy()
        found[:, :4] = target_points(stored).reshape(len(stored), 4) * 3
        return found

    stored = targets.astype(np.float32)
    return spec, TrainData(IMAGES, stored, back(targets), IDS, back)


def both(images: Tensor, training: bool) -> tuple[Tensor, Tensor]:
    """Augment the two images of a row apart, and normalise them."""
    flips = Preprocess(["hflip", "vflip"], SIZE)
    return flips(images[:, 0], training), flips(images[:, 1], training)


def fusion() -> Made:
    reseed(1)
    network, thawed = Two(), [Piece(0, 1, 0, 0), Piece(1, 2, 1e-3, 1e-4)]
    spec = make(network, Values(2, 25, "g/dL"), nn.SmoothL1Loss(), both)
    parts = [part("head", network.head), part("second", network.second, thawed)]
    pairs = np.stack([IMAGES, IMAGES[::-1]], axis=1)
    return replace(spec, param_groups=parts), replace(values()[1], images=pairs)


HONEST: list[Callable[[], Made]] = [values, classes, points, heatmaps, joint, fusion]


def judge(
    spec: TrainingSpec,
    train: TrainData,
    valid: TrainData | None = None,
    whole: bool = False,
    workers: int = 0,
) -> dict[str, dict[str, Any]]:
    """Return the preflight's failed checks by name, or all where `whole`."""
    set_determinism(1)
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(GateError):
        path = Path(folder) / "preflight.json"
        try:
            preflight("toy", spec, train, valid or train, path, workers)
        finally:
            checks = read_json(path)["checks"]
    return {check["name"]: check for check in checks if whole or not check["passed"]}
