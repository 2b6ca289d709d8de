"""Films as they are stored, with the points said of them, and what surrounds a point on its film."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from assay.systems.ceph.data.pose import lay_on_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.systems.ceph.data.mean_face import Floats

Images = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.integer] | npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Films:
    """n letterboxed films.

    Attributes:
        grey: (n, size, size) uint8.
        points: (n, 29, 2) px of the film, NaN where absent.
        extent: (n, 2) width and height of the film, px.
        spacing: (n,) mm a pixel, NaN where unknown.
        pose: (n,) px of the film a millimetre of the mean face, turned as the face is.
    """

    grey: Images
    points: Floats
    extent: Floats
    spacing: Floats
    pose: npt.NDArray[np.complex128]

    def __len__(self) -> int:
        return len(self.grey)

    def where(self, rows: Rows) -> Films:
        """Return the chosen films."""
        return Films(
            self.grey[rows],
            self.points[rows],
            self.extent[rows],
            self.spacing[rows],
            self.pose[rows],
        )

    def at(self, points: Floats) -> Films:
        """Return the same films with other points of the same faces, moved and scaled."""
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = _spread(points) / _spread(self.points)
        return replace(self, points=points, pose=self.pose * np.nan_to_num(ratio, posinf=0.0))

    def with_points_of(self, rows: npt.NDArray[np.integer]) -> Films:
        """Return the same films with other films' points, row for row."""
        return replace(self, points=self.points[rows], pose=self.pose[rows])

    def with_places_of(self, rows: npt.NDArray[np.integer]) -> Films:
        """Return the same films with other films' points where these lie in the stored square."""
        own, theirs = self.extent[:, None], self.extent[rows][:, None]
        ratio = own.max(axis=2, keepdims=True) / theirs.max(axis=2, keepdims=True)
        points = (self.points[rows] - (theirs - 1) / 2) * ratio + (own - 1) / 2
        return replace(self, points=points, pose=self.pose[rows] * ratio[:, 0, 0])


def lay_films(grey: Images, points: Floats, extent: Floats, spacing: Floats) -> Films:
    """Return films whose faces' poses are taken from their points."""
    fit = lay_on_mean(points)
    turned = np.asarray(np.exp(1j * np.radians(fit.turn)), dtype=np.complex128)
    return Films(grey, points, extent, spacing, np.asarray(turned * fit.scale, dtype=np.complex128))


def joined(parts: Sequence[Films]) -> Films:
    """Return the films of several parts, one after another."""
    names = [field.name for field in fields(Films)]
    return Films(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    )


def _spread(points: Floats) -> Floats:
    there = np.isfinite(points)
    count = np.maximum(there.sum(axis=1, keepdims=True), 1)
    middle = np.where(there, points, 0).sum(axis=1, keepdims=True) / count
    return np.asarray(np.sqrt(np.where(there, (points - middle) ** 2, 0).sum(axis=(1, 2))))


def stored(points: Floats, extent: Floats, size: int) -> Floats:
    """Return points of the film (n, 29, 2) as px of the letterboxed square of `size` px."""
    sides = extent[:, None]
    scale = size / sides.max(axis=2, keepdims=True)
    return np.asarray((points - (sides - 1) / 2) * scale + (size - 1) / 2)


def surroundings(films: Films, grid: npt.NDArray[np.complex128], of: Sequence[int]) -> Floats:
    """Return the grey values (n, landmarks, k) around landmarks; NaN where the film ends.

    Args:
        films: with their points.
        grid: (k,) mm from the landmark, x + iy, turned and scaled as each face is.
        of: the landmarks, by place.
    """
    size = films.grey.shape[1]
    points = stored(films.points[:, of], films.extent, size)
    longest = films.extent.max(axis=1)
    off = (grid * (films.pose * size / longest)[:, None])[:, None]
    places = points[:, :, None] + np.stack([off.real, off.imag], axis=3)
    half = (films.extent / longest[:, None] * size / 2)[:, None, None]
    there = (np.abs(places - (size - 1) / 2) <= half - 0.5).all(axis=3)  # NaN is nowhere
    x, y = (np.where(there, places[..., axis], 0).round().astype(int) for axis in (0, 1))
    values = films.grey[np.arange(len(films))[:, None, None], y, x].astype(np.float64)
    values[~there] = np.nan
    return np.asarray(values)
