"""Whether the features of two images lie in one geometry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from assay.similar.dense import agreement, best_correlation, relief_correlation
from assay.similar.features import PICTURE
from assay.similar.match import Match
from assay.similar.null import LEAST_BORNE_OUT

if TYPE_CHECKING:
    from assay.similar.features import Features

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]
Motion = npt.NDArray[np.float64]

RATIO = 0.95  # nearest to second nearest distance: Lowe's 0.8 loses coarse copies, geometry decides
REPROJECTION = 5 / 3  # px of the small picture
SCALES = (0.25, 4.0)
# Share of the longest side by which inliers spread (standard deviation), along and across.
ALONG, ACROSS = 0.06, 0.02
TRIES = 1000  # of RANSAC
FEWEST, AGREEING = 5, 3  # matches that are asked, and that must agree: two always do
BINS = 12  # of a turn, 30° each; two neighbours vote together
NEXT = np.arange(1, BINS + 1) % BINS
MANY = 8  # matches that agree; with fewer, pictures that are not alike at half their
LIKE = 0.25  # … side by so much are not compared at the whole (0.5 loses 0.006 of copies of eyes)


def match_images(first: Features, second: Features, thorough: bool = False) -> list[Match]:
    """Return what may take the second image onto the first: three guesses at most.

    By keypoints as they are, by keypoints mirrored, and the whole picture in one of eight views.
    Descriptors are compared once for both: those of a mirrored image are the same, but turned.

    Args:
        first: of one image.
        second: of the other.
        thorough: also where few matches agree; random pairs are, candidates are not.
    """
    left, right = _matches(first.descriptors, second.descriptors)
    other = first.turned[left] != second.turned[right]
    guesses = [
        _geometry(
            first, second, left[other == mirrored], right[other == mirrored], mirrored, thorough
        )
        for mirrored in (False, True)
    ]
    correlation, mirrored, degrees = best_correlation(first.frame, second.frame)
    guesses.append(Match(0, correlation, 1.0, mirrored, float(degrees), 1.0))
    return [guess for guess in guesses if guess is not None]


def _geometry(
    first: Features, second: Features, left: Places, right: Places, mirrored: bool, thorough: bool
) -> Match | None:
    if not thorough and len(left) >= FEWEST:
        alike = _turning_alike(first.angles[left], second.angles[right], mirrored)
        left, right = left[alike], right[alike]
    target, origin = first.points[left], second.points[right]
    if mirrored:
        origin = origin * np.array([-1, 1], dtype=np.float32)
    motion, inlying = _motion(target, origin)
    scale = float(np.hypot(motion[0, 0], motion[1, 0]))
    if not SCALES[0] <= scale <= SCALES[1]:
        return None
    agreeing = int(np.count_nonzero(inlying))
    if not thorough and not _promising(first, second, mirrored, motion, agreeing):
        return None
    correlation, overlap = agreement(first.picture, _seen(second.picture, mirrored), motion)
    if not thorough and correlation < LEAST_BORNE_OUT:
        return None  # no rule accepts it, and its inliers cost a tenth of comparing a pair
    inliers = _inliers(target[inlying], origin[inlying])
    rotation = float(np.degrees(np.arctan2(-motion[1, 0], motion[0, 0])))
    return Match(inliers, correlation, overlap, mirrored, round(rotation, 2), round(scale, 4))


def _promising(
    first: Features, second: Features, mirrored: bool, motion: Motion, agreeing: int
) -> bool:
    """Return False where too few matches agree, or few and the small pictures do not."""
    if agreeing < AGREEING:
        return False
    seen = _seen(second.relief, mirrored)
    return agreeing >= MANY or relief_correlation(first.relief, seen, motion) >= LIKE


def _seen(level: npt.NDArray[Any], mirrored: bool) -> npt.NDArray[Any]:
    return np.ascontiguousarray(level[:, ::-1]) if mirrored else level


def _motion(target: Floats, origin: Floats) -> tuple[Motion, npt.NDArray[np.bool_]]:
    """Return the similarity (2, 3) that most matches agree on, all 0 without one, and which they are."""
    none = np.zeros((2, 3)), np.zeros(len(target), dtype=bool)
    if len(target) < FEWEST:
        return none
    cv2.setRNGSeed(0)  # each pair for itself: the order of pairs changes nothing
    motion, mask = cv2.estimateAffinePartial2D(
        origin, target, method=cv2.RANSAC, ransacReprojThreshold=REPROJECTION, maxIters=TRIES
    )
    if motion is None:
        return none
    return np.asarray(motion, dtype=np.float64), np.asarray(mask).ravel() > 0


def _inliers(target: Floats, origin: Floats) -> int:
    """Return the number of places that agree; 0 on one spot or line."""
    spread = _spread(target) and _spread(origin)
    return min(_places(target), _places(origin)) if spread else 0


def _turning_alike(first: Floats, second: Floats, mirrored: bool) -> npt.NDArray[np.bool_]:
    """Return which matches vote for the turn that most vote for.

    Weak geometric consistency (Jégou, Douze, Schmid, ECCV 2008), for each of two neighbouring bins.
    """
    turn = first - (180 - second if mirrored else second)
    bins = np.floor(turn * (BINS / 360)).astype(np.int64) % BINS
    votes = np.bincount(bins, minlength=BINS)
    best = int((votes + votes[NEXT]).argmax())
    return np.asarray((bins - best) % BINS < 2)


def _matches(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8]) -> tuple[Places, Places]:
    """Return the pairs that are each other's nearest and pass the ratio test."""
    if min(len(first), len(second)) < 2:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    one, two = first.astype(np.float32), second.astype(np.float32)
    lengths = [np.einsum("ij,ij->i", each, each)[:, None] for each in (one, two)]
    ones = [np.ones_like(each) for each in lengths]
    # In one product: whole numbers below 2²⁴ all the way, so exact.
    squares = np.hstack([-2 * one, lengths[0], ones[0]]) @ np.hstack([two, ones[1], lengths[1]]).T
    nearest, back = squares.argmin(axis=1), squares.argmin(axis=0)
    rows = np.flatnonzero(back[nearest] == np.arange(len(one)))
    nearest = nearest[rows]
    least = squares[rows, nearest]
    squares[rows, nearest] = np.inf
    good = least < RATIO**2 * squares[rows].min(axis=1)
    return rows[good], nearest[good]


def _spread(points: Floats) -> bool:
    """Return False for points on one spot or line: a burnt-in letter, a ruler, not a picture."""
    if len(points) < 3:
        return False
    variances = np.linalg.eigvalsh(np.cov(points.T))
    across, along = np.sqrt(np.maximum(variances, 0)) / PICTURE
    return bool(across >= ACROSS and along >= ALONG)


def _places(points: Floats) -> int:
    """Return the number of different places: one place with two orientations counts once."""
    return len(np.unique(np.rint(3 * points), axis=0))
