"""The soft-tissue profile as an anchor outside the set: before it is air, behind it tissue.

A set that is wrong throughout (all negatives, all points of a smaller image) agrees with itself. At
subnasale, lips, chin and the tip of the nose a film steps from light to dark, forwards, and no such
step follows: that holds of any positive film and of no set at all. N` is left out, since the nasal
support of the cephalostat stands before it.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from assay.systems.ceph.data.films import surroundings
from assay.systems.ceph.data.landmarks import PLACE

if TYPE_CHECKING:
    from assay.systems.ceph.data.films import Films
    from assay.systems.ceph.data.mean_face import Floats

PROFILE = tuple(PLACE[symbol] for symbol in ("Pn", "Sn", "Ls", "Li", "Pog`"))
STEP = 2.0  # mm
AHEAD = np.arange(-8.0, 25.0, STEP)  # mm before the point
ASIDE = np.arange(-1.0, 2.0)  # mm, averaged
HALF = 4  # steps on either side of an edge
EDGE = -np.sign(np.arange(-HALF, HALF + 1)) / np.sqrt(2 * HALF)
FARTHER = 4  # steps: what lies nearer is the same edge


def profile_edge(films: Films) -> Floats:
    """Return how well each film steps from light to dark at its profile, and not again before it.

    Returns:
        (n,) from −2 to 1: real 0.82, phantom 0.47 in the median, their negatives −1.7 and −0.95; −1 where
        the points have left the film, NaN where there are none.
    """
    grid = (AHEAD[:, None] + 1j * ASIDE).ravel()
    values = surroundings(films, grid, PROFILE)
    rays = values.reshape(*values.shape[:2], len(AHEAD), len(ASIDE)).mean(axis=3)
    windows = np.lib.stride_tricks.sliding_window_view(rays, 2 * HALF + 1, axis=2)
    windows = windows - windows.mean(axis=3, keepdims=True)
    norm = np.maximum(np.linalg.norm(windows, axis=3), 1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a film without any of the points
        steps = np.nanmean((windows @ EDGE) / norm, axis=1)
        farther = np.nan_to_num(np.nanmax(steps[:, FARTHER:], axis=1))
    edge = np.nan_to_num(steps[:, 0] - np.maximum(farther, 0), nan=-1.0)
    known = np.isfinite(films.points[:, PROFILE, 0]).sum(axis=1) > 0
    return np.where(known, edge, np.nan)
