"""Local features of an image, and whether those of two images lie in one geometry."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

SIDE = 480  # px of the longest side; smaller images are enlarged to it, but
ENLARGED = 3.0  # … no further: what is between their pixels looks alike everywhere
KEYPOINTS = 400
CONTRAST = 0.003  # OpenCV's 0.04 leaves 50 keypoints on a smooth crop of tissue
CLIP = 4.0  # of the adaptive equalisation: pale vessels count as much as dark ones
DARK, RIM = 8, 9  # grey levels of the ground below crops; px kept off its edge, a mere outline
NORM = 512  # length of a stored descriptor
RATIO = 0.9  # nearest to second nearest distance (Lowe 2004)
REPROJECTION = 5.0  # px at SIDE
SCALES = (0.25, 4.0)
# Share of the longest side by which inliers spread (standard deviation), along and across.
ALONG, ACROSS = 0.06, 0.02
FEWEST = 4  # matches below which no geometry is sought: two always agree
# The order of a mirrored keypoint's 4 × 4 × 8 bins: grid rows reversed, orientations negated.
MIRROR = np.arange(128).reshape(4, 4, 8)[::-1][..., -np.arange(8)].ravel()


@dataclass(frozen=True)
class Features:
    """Keypoints (k, 2) in px at SIDE, from the centre, and RootSIFT descriptors (k, 128) uint8."""

    points: Floats
    descriptors: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Match:
    """What takes the second image onto the first: mirrored first, then turned and scaled."""

    inliers: int = 0
    mirrored: bool = False
    rotation: float = 0.0  # degrees, counterclockwise on the screen, of pictures at SIDE
    scale: float = 1.0


def extract(image: npt.NDArray[np.uint8]) -> Features:
    """Return the strongest SIFT features (Lowe 2004) of an image (height, width, 3).

    RootSIFT (Arandjelović, Zisserman, CVPR 2012): square roots of the L1-normalised descriptor.
    In uint8 its dot products are whole numbers below 2²⁴, exact in float32 in any order of
    summation, so that no thread count and no BLAS changes a match.
    """
    cv2.setNumThreads(1)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    factor = min(SIDE / max(height, width), ENLARGED)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    inside = cv2.erode(np.where(grey > DARK, np.uint8(255), np.uint8(0)), np.ones((RIM, RIM)))
    even = cv2.createCLAHE(CLIP, (8, 8)).apply(grey)
    sift = cv2.SIFT.create(KEYPOINTS, contrastThreshold=CONTRAST, enable_precise_upscale=True)
    keypoints, raw = sift.detectAndCompute(even, inside)
    if not keypoints:
        return Features(np.empty((0, 2), np.float32), np.empty((0, 128), np.uint8))
    # SIFT returns a little more than asked for where responses are equal.
    points = np.array([keypoint.pt for keypoint in keypoints[:KEYPOINTS]], dtype=np.float32)
    share = raw[:KEYPOINTS] / np.maximum(raw[:KEYPOINTS].sum(axis=1, keepdims=True), 1)
    descriptors = np.minimum(np.rint(np.sqrt(share) * NORM), 255).astype(np.uint8)
    centre = np.array([size[0] - 1, size[1] - 1], dtype=np.float32) / 2
    return Features((points - centre).astype(np.float32), descriptors)


def compare(first: Features, second: Features) -> Match:
    """Return the better of two geometries: the second image as it is, and mirrored.

    SIFT does not know a mirrored image, but its descriptor there is a permutation of the one at
    hand, so nothing is extracted twice.
    """
    flip = np.array([-1, 1], dtype=np.float32)
    mirrored = Features(second.points * flip, second.descriptors[:, MIRROR])
    plain, turned = _geometry(first, second, False), _geometry(first, mirrored, True)
    return plain if plain.inliers >= turned.inliers else turned


def _geometry(first: Features, second: Features, mirrored: bool) -> Match:
    left, right = _matches(first.descriptors, second.descriptors)
    if len(left) < FEWEST:
        return Match()
    target, origin = first.points[left], second.points[right]
    cv2.setRNGSeed(0)  # each pair for itself: the order of pairs changes nothing
    matrix, mask = cv2.estimateAffinePartial2D(
        origin, target, method=cv2.RANSAC, ransacReprojThreshold=REPROJECTION
    )
    if matrix is None:
        return Match()
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    inside = mask.ravel() > 0
    target, origin = target[inside], origin[inside]
    if not (SCALES[0] <= scale <= SCALES[1] and _spread(target) and _spread(origin)):
        return Match()
    rotation = float(np.degrees(np.arctan2(-matrix[1, 0], matrix[0, 0])))
    return Match(min(_places(target), _places(origin)), mirrored, rotation, scale)


def _matches(
    first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the pairs that are each other's nearest and pass the ratio test."""
    if min(len(first), len(second)) < 2:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    one, two = first.astype(np.float32), second.astype(np.float32)
    squares = (one**2).sum(axis=1)[:, None] + (two**2).sum(axis=1) - 2 * one @ two.T
    nearest, back = squares.argmin(axis=1), squares.argmin(axis=0)
    rows = np.arange(len(one))
    two_least = np.partition(squares, 1, axis=1)[:, :2]
    good = (two_least[:, 0] < RATIO**2 * two_least[:, 1]) & (back[nearest] == rows)
    return rows[good], nearest[good]


def _spread(points: Floats) -> bool:
    """Return False for points on one spot or line: a burnt-in letter, a ruler, not a picture."""
    if len(points) < 3:
        return False
    variances = np.linalg.eigvalsh(np.cov(points.T))
    across, along = np.sqrt(np.maximum(variances, 0)) / SIDE
    return bool(across >= ACROSS and along >= ALONG)


def _places(points: Floats) -> int:
    """Return the number of different pixels: one place with two orientations counts once."""
    return len(np.unique(np.rint(points), axis=0))
