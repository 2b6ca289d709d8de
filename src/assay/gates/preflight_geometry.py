"""Preflight of augmentation that moves points: it can be undone, and image and points move alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from assay.contract.checks import Check
from assay.gates.preflight_calls import calling
from assay.gates.preflight_labels import row_ids
from assay.learning.determinism import reseed

if TYPE_CHECKING:
    from assay.learning.targets.target import PointFrame
    from assay.learning.training_spec import Geometry, TrainData, TrainingSpec

SPOTS = 16  # images with a spot of light
BACK = 0.01  # px: a move and its inverse
FOLLOW = 0.25  # px: a spot and its point; its centre of mass is known to a few hundredths
BACK_AGAIN = "a move and its inverse change nothing"
ALIKE = "an image's points move as its pixels do"


def judge_geometry(spec: TrainingSpec, train: TrainData) -> Iterator[Check]:
    """Yield the checks; none where nothing moves points."""
    geometry, frame = spec.geometry, spec.targets.frame
    if geometry is None or frame is None:
        return
    points = spec.targets.points_in(train.targets)
    with calling("inverse", "TrainingSpec.geometry", BACK_AGAIN):
        yield _back(spec, geometry, frame, train, points)
    with calling("points follow", "TrainingSpec.geometry", ALIKE):
        yield _follow(geometry, frame, spec.config.seed, train)


def _back(
    spec: TrainingSpec,
    geometry: Geometry,
    frame: PointFrame,
    train: TrainData,
    stored: npt.NDArray[Any],
) -> Check:
    """Move the points of a batch and move them back; where points may be absent they may leave."""
    reseed(spec.config.seed, 0)
    count = min(len(stored), spec.config.batch_size)
    points = torch.from_numpy(stored[:count])
    moves = geometry.draw(count)
    moved = geometry.points(points, moves)
    if frame.gaps:
        points = points.masked_fill(moved.isnan(), torch.nan)
    apart = _apart(geometry.back(moved, moves), points)
    return _near("inverse", apart, BACK, BACK_AGAIN, train)


def _follow(geometry: Geometry, frame: PointFrame, seed: int, train: TrainData) -> Check:
    """Move images of one spot of light, and its point: they must arrive at one place."""
    reseed(seed, 0)
    size = np.array([frame.width, frame.height])
    spots = size * np.random.default_rng(seed).uniform(0.35, 0.65, (SPOTS, 2))
    images = np.stack([_spot(frame, spot) for spot in spots])
    images = np.repeat(images[..., None], train.images.shape[-1], axis=-1)
    points = torch.from_numpy(spots.astype("float32"))[:, None].repeat(1, len(frame.names), 1)
    moves = geometry.draw(SPOTS)
    seen = _centres(geometry.images(torch.from_numpy(images), moves))
    apart = _apart(geometry.points(points, moves)[:, :1], seen[:, None])
    return _near("points follow", apart, FOLLOW, ALIKE)


def _spot(frame: PointFrame, centre: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return an image (h, w) with a Gaussian spot; a pixel's centre has whole coordinates."""
    y, x = np.mgrid[: frame.height, : frame.width]
    wide = max(1.5, min(frame.width, frame.height) / 64)
    square = (x - centre[0]) ** 2 + (y - centre[1]) ** 2
    spot: npt.NDArray[np.uint8] = np.round(255 * np.exp(-square / 2 / wide**2)).astype(np.uint8)
    return spot


def _centres(images: Tensor) -> Tensor:
    """Return the centres of mass (b, 2) in px of images (b, h, w, channels)."""
    light = images.double().sum(dim=-1)
    x, y = torch.arange(light.shape[2]), torch.arange(light.shape[1])
    whole = light.sum(dim=(1, 2))
    return torch.stack(
        [(light.sum(1) * x).sum(1) / whole, (light.sum(2) * y).sum(1) / whole], dim=1
    )


def _apart(one: Tensor, other: Tensor) -> npt.NDArray[Any]:
    """Return the largest distance a row, px; a point that is absent in both counts nothing."""
    distance = (one.double() - other.double()).norm(dim=2)
    absent = one.isnan().any(dim=2) & other.isnan().any(dim=2)
    farthest: npt.NDArray[Any] = distance.masked_fill(absent, 0).amax(dim=1).numpy()
    return farthest


def _near(
    name: str, apart: npt.NDArray[Any], bound: float, meaning: str, part: TrainData | None = None
) -> Check:
    far = np.flatnonzero(~(apart <= bound))
    rows = far.tolist() if part is None else row_ids(part)[far].tolist()
    found = f"{len(far)} of {len(apart)} rows apart, by up to {apart.max():.3g} px"
    return Check(name, not len(far), f"{meaning}, to {bound} px", found, len(apart), rows)
