"""Whether points lie on their own films: what surrounds a landmark looks alike from film to film.

Around each landmark a patch is cut, in the face's own pose and scale, and held against the mean of all
other films' patches. The control puts each film's points on the next film: likeness that is no better
than the control means that the points are not these images' (flipped, turned, shuffled).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from assay.systems.ceph.data.anatomy import FEWEST_ROWS, Finding
from assay.systems.ceph.data.landmarks import COUNT
from assay.systems.ceph.data.mean_face import Floats
from assay.systems.ceph.data.pose import lay_on_mean

SIDE = np.arange(-8.0, 9.0, 2.0)  # mm around a landmark
# Likeness above the control's, of 12 films or more: real 0.44–0.56, phantom 0.39–0.46; of images that
# were flipped, transposed or shuffled at most 0.11.
GAIN = 0.2
MOST = 200  # films that speak for a set


def likeness(images: npt.NDArray[np.uint8], points: Floats) -> float:
    """Return the mean correlation of patches with the mean patch of all other films; NaN if unknown.

    Args:
        images: (n, h, w) or (n, h, w, 3) uint8.
        points: (n, 29, 2) px of these images.
    """
    patches = _patches(images if images.ndim == 3 else images[..., 1], points)
    found = []
    for place in range(COUNT):
        mine = patches[np.isfinite(patches[:, place]).all(axis=1), place]
        if len(mine) < FEWEST_ROWS:
            continue
        others = mine.sum(axis=0) - mine
        others /= np.maximum(np.linalg.norm(others, axis=1, keepdims=True), 1e-9)
        found.append(float((mine * others).sum(axis=1).mean()))
    return float(np.mean(found)) if found else float("nan")


def off_their_films(images: npt.NDArray[np.uint8], points: Floats) -> list[Finding]:
    """Find a set whose points lie on its images no better than on another's."""
    chosen = np.linspace(0, len(points) - 1, min(len(points), MOST)).astype(int)
    images, points = images[chosen], points[chosen]
    own, other = likeness(images, points), likeness(images, np.roll(points, 1, axis=0))
    if np.isnan(own) or np.isnan(other) or own - other >= GAIN:
        return []
    reason = (
        f"the points fit their images (likeness {own:.2f}) no better than others' ({other:.2f})"
    )
    return [Finding((), reason)]


def _patches(grey: npt.NDArray[np.uint8], points: Floats) -> Floats:
    """Return patches (n, 29, k) of zero mean and unit norm; NaN where they leave the image."""
    fit = lay_on_mean(points)
    turn = np.exp(1j * np.radians(fit.turn)) * fit.scale
    grid = ((SIDE[:, None] + 1j * SIDE[None]).ravel() * turn[:, None])[:, None]
    places = points[:, :, None] + np.stack([grid.real, grid.imag], axis=3)
    rows, columns = grey.shape[1:]
    there = np.isfinite(places).all(axis=3)
    x, y = (np.where(there, places[..., axis], -1).round().astype(int) for axis in (0, 1))
    there &= (x >= 0) & (y >= 0) & (x < columns) & (y < rows)
    film = np.arange(len(grey))[:, None, None]
    values = grey[film, np.where(there, y, 0), np.where(there, x, 0)].astype(np.float64)
    values -= values.mean(axis=2, keepdims=True)
    values /= np.maximum(np.linalg.norm(values, axis=2, keepdims=True), 1e-9)
    values[~there.all(axis=2)] = np.nan
    return np.asarray(values)
