"""Whether points lie on their own films: what surrounds a landmark looks alike from film to film.

Around each landmark a patch is cut, in the face's own pose and scale, and held against the mean of all
other films' patches. Two questions: does the whole set lie on its images better than on the next film's
(it does not where images were flipped, turned or shuffled), and does any single film look more like the
others once it is mirrored or turned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from assay.manifest.index import OK
from assay.systems.ceph.data.anatomy import FEWEST, FEWEST_ROWS, AnatomyFault, found
from assay.systems.ceph.data.checks import findings_check, points_of
from assay.systems.ceph.data.pose import lay_on_mean

if TYPE_CHECKING:
    from assay.contract.checks import Check
    from assay.systems.ceph.data.mean_face import Floats

Images = npt.NDArray[np.uint8]
Fetch = Callable[[pl.Series], Images]  # digests → stored images (n, size, size, 3)
SIDE = np.arange(-8.0, 9.0, 2.0)  # mm around a landmark
# Likeness above the control's, of 12 films or more: real 0.44–0.56, phantom 0.39–0.46; of images that
# were flipped, transposed or shuffled at most 0.11.
GAIN = 0.2
# What turning a film wins: sound ones at most −0.34 (real) and −0.47 (phantom); a film that was turned
# among sound ones at least 0.43.
BETTER = 0.1
PORTION = 100  # films in memory at once
TURNED: dict[str, Callable[[Images], Images]] = {
    "is mirrored": lambda grey: grey[:, :, ::-1],
    "is upside down": lambda grey: grey[:, ::-1],
    "has x and y exchanged": lambda grey: grey.transpose(0, 2, 1),
}


def check_films(table: pl.DataFrame, fetch: Fetch) -> Check:
    """Return the check of a manifest's usable rows against the stored images."""
    rows = table.filter(pl.col("status") == OK)
    grey = np.concatenate([
        fetch(part["digest"])[..., 1] for part in rows.iter_slices(PORTION)
    ])  # fmt: skip
    points = stored(points_of(rows, "target"), rows["width"], rows["height"], grey.shape[1])
    findings = off_their_films(grey, points)
    check = findings_check("films", "the points lie on what their films show", findings, rows)
    if findings or not np.isnan(patch_correlation(grey, points)):
        return check
    return replace(check, found="not judged: too few films with points")


def stored(points: Floats, width: pl.Series, height: pl.Series, size: int) -> Floats:
    """Return points of the film (n, 29, 2) as px of the letterboxed square of `size` px."""
    extent = np.stack([width.to_numpy(), height.to_numpy()], axis=1)[:, None].astype(np.float64)
    scale = size / extent.max(axis=2, keepdims=True)
    return np.asarray((points - (extent - 1) / 2) * scale + (size - 1) / 2)


def patch_correlation(grey: Images, points: Floats) -> float:
    """Return the mean correlation of patches with the mean patch of all other films; NaN if unknown.

    Args:
        grey: (n, h, w) uint8.
        points: (n, 29, 2) px of these images.
    """
    patches = _patches(grey, points)
    each = _alike(patches, patches)
    known = np.isfinite(each)
    return float(each[known].mean()) if known.any() else float("nan")


def off_their_films(grey: Images, points: Floats) -> list[AnatomyFault]:
    """Find a set whose points lie on its images no better than on others', or single turned films."""
    own, other = (
        patch_correlation(grey, points),
        patch_correlation(grey, np.roll(points, 1, axis=0)),
    )
    if np.isnan(own) or np.isnan(other):
        return []
    if own - other < GAIN:
        reason = "the points fit their images"
        return [
            AnatomyFault((), f"{reason} (likeness {own:.2f}) no better than others' ({other:.2f})")
        ]
    patches = _patches(grey, points)
    plain = _alike(patches, patches)
    turned = np.stack([_alike(_patches(turn(grey), points), patches) for turn in TURNED.values()])
    gain = np.nan_to_num(turned - plain, nan=-1.0)
    best, wins = gain.argmax(axis=0), gain.max(axis=0) > BETTER
    return found(
        (np.asarray(wins & (best == number)), f"the film {what}")
        for number, what in enumerate(TURNED)
    )


def _alike(patches: Floats, base: Floats) -> Floats:
    """Return the mean correlation (n,) of each film's patches with the mean of the others' in `base`.

    NaN where fewer landmarks are known, or a landmark on fewer films, than say anything.
    """
    there = np.asarray(np.isfinite(base).all(axis=2))
    whole = np.where(there[..., None], base, 0)
    others = whole.sum(axis=0) - whole
    others /= np.maximum(np.linalg.norm(others, axis=2, keepdims=True), 1e-9)
    count = there.sum(axis=0) - there
    alike = np.where(count >= FEWEST_ROWS, (patches * others).sum(axis=2), np.nan)
    known = np.isfinite(alike)
    total = np.where(known, alike, 0).sum(axis=1)
    return np.where(known.sum(axis=1) >= FEWEST, total / np.maximum(known.sum(axis=1), 1), np.nan)


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
