"""Local features of an image, and whether those of two images lie in one geometry."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from assay.similar.dense import agreement, inside, square, whole

Floats = npt.NDArray[np.float32]

SIDE = 480  # px of the longest side; smaller images are enlarged to it, but
ENLARGED = 4.0  # … no further: what is between their pixels looks alike everywhere
KEYPOINTS = 400
CONTRAST = 0.003  # OpenCV's 0.04 leaves 50 keypoints on a smooth crop of tissue
CLIP = 4.0  # of the adaptive equalisation: pale vessels count as much as dark ones
RIM, SMALL_RIM = 9, 5  # px kept off the edge of a crop, a mere outline; of the small picture
NORM = 512  # length of a stored descriptor
RATIO = 0.95  # nearest to second nearest distance: Lowe's 0.8 loses coarse copies, geometry decides
REPROJECTION = 5.0  # px at SIDE
SCALES = (0.25, 4.0)
# Share of the longest side by which inliers spread (standard deviation), along and across.
ALONG, ACROSS = 0.06, 0.02
TRIES = 1000  # of RANSAC
SMALLER = 3  # times is the picture that is compared pixel by pixel
FEWEST = 4  # matches below which no geometry is sought: two always agree
# The order of a mirrored keypoint's 4 × 4 × 8 bins: grid rows reversed, orientations negated.
MIRROR = np.arange(128).reshape(4, 4, 8)[::-1][..., -np.arange(8)].ravel()


@dataclass(frozen=True)
class Features:
    """What is kept of an image: 100 kB at most.

    `points` (k, 2) are keypoints in px from the centre, `descriptors` (k, 128) their RootSIFT;
    `picture` is grey at a third of the side, 0 outside, `frame` its relief as a square.
    """

    points: Floats
    descriptors: npt.NDArray[np.uint8]
    picture: npt.NDArray[np.uint8]
    frame: npt.NDArray[np.int8]


@dataclass(frozen=True)
class Match:
    """What takes the second image onto the first: mirrored first, then turned and scaled."""

    inliers: int  # keypoints that agree; 0 where they lie on one spot, or none were asked
    correlation: float  # of the pictures, once laid onto each other
    overlap: float  # the share of the larger that both cover
    mirrored: bool
    rotation: float  # degrees, counterclockwise on the screen
    scale: float  # of pictures at SIDE


def extract(image: npt.NDArray[np.uint8]) -> Features:
    """Return the strongest SIFT features (Lowe 2004) of an image (height, width, 3).

    RootSIFT (Arandjelović, Zisserman, CVPR 2012): square roots of the L1-normalised descriptor.
    In uint8 its dot products are whole numbers below 2²⁴, exact in float32 in any order of
    summation, so that no thread count and no BLAS changes a match.
    """
    cv2.setNumThreads(1)
    grey = _resized(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.uint8), SIDE, ENLARGED)
    even = cv2.createCLAHE(CLIP, (8, 8)).apply(grey)
    sift = cv2.SIFT.create(KEYPOINTS, contrastThreshold=CONTRAST, enable_precise_upscale=True)
    keypoints, raw = sift.detectAndCompute(even, inside(grey, RIM) * 255)
    # SIFT returns a little more than asked for where responses are equal.
    points = np.array([keypoint.pt for keypoint in keypoints[:KEYPOINTS]]).reshape(-1, 2)
    raw = raw[:KEYPOINTS] if keypoints else np.empty((0, 128))
    share = raw / np.maximum(raw.sum(axis=1, keepdims=True), 1)
    descriptors = np.minimum(np.rint(np.sqrt(share) * NORM), 255).astype(np.uint8)
    centre = (np.array(grey.shape[::-1]) - 1) / 2
    small = _resized(grey, SIDE // SMALLER, 1 / SMALLER)
    picture = np.maximum(small, 1) * inside(small, SMALL_RIM)
    return Features((points - centre).astype(np.float32), descriptors, picture, square(picture))


def _resized(grey: npt.NDArray[np.uint8], side: int, most: float) -> npt.NDArray[np.uint8]:
    height, width = grey.shape
    factor = min(side / max(height, width), most)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(grey, size, interpolation=way).astype(np.uint8)


def compare(first: Features, second: Features) -> list[Match]:
    """Return what may take the second image onto the first: three guesses at most.

    By keypoints as they are, by keypoints mirrored, and the whole picture in one of eight views.
    SIFT does not know a mirrored image, but its descriptor there is a permutation of the one at
    hand, so nothing is extracted twice.
    """
    flipped = replace(
        second,
        points=second.points * np.array([-1, 1], dtype=np.float32),
        descriptors=second.descriptors[:, MIRROR],
        picture=np.ascontiguousarray(second.picture[:, ::-1]),
    )
    guesses = [_geometry(first, second, False), _geometry(first, flipped, True)]
    correlation, mirrored, degrees = whole(first.frame, second.frame)
    guesses.append(Match(0, correlation, 1.0, mirrored, float(degrees), 1.0))
    return [guess for guess in guesses if guess is not None]


def _geometry(first: Features, second: Features, mirrored: bool) -> Match | None:
    left, right = _matches(first.descriptors, second.descriptors)
    if len(left) < FEWEST:
        return None
    target, origin = first.points[left], second.points[right]
    cv2.setRNGSeed(0)  # each pair for itself: the order of pairs changes nothing
    matrix, mask = cv2.estimateAffinePartial2D(
        origin, target, method=cv2.RANSAC, ransacReprojThreshold=REPROJECTION, maxIters=TRIES
    )
    if matrix is None:
        return None
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if not SCALES[0] <= scale <= SCALES[1]:
        return None
    target, origin = target[mask.ravel() > 0], origin[mask.ravel() > 0]
    spread = _spread(target) and _spread(origin)
    inliers = min(_places(target), _places(origin)) if spread else 0
    motion = np.asarray(matrix, dtype=np.float64) / np.array([1, 1, SMALLER])
    correlation, overlap = agreement(first.picture, second.picture, motion)
    rotation = float(np.degrees(np.arctan2(-matrix[1, 0], matrix[0, 0])))
    return Match(inliers, correlation, overlap, mirrored, round(rotation, 2), round(scale, 4))


def _matches(
    first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the pairs that are each other's nearest and pass the ratio test."""
    if min(len(first), len(second)) < 2:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    one, two = first.astype(np.float32), second.astype(np.float32)
    squares = one @ two.T
    squares *= -2
    squares += (one**2).sum(axis=1)[:, None]
    squares += (two**2).sum(axis=1)
    nearest, back = squares.argmin(axis=1), squares.argmin(axis=0)
    rows = np.arange(len(one))
    least = squares[rows, nearest]
    squares[rows, nearest] = np.inf
    good = (least < RATIO**2 * squares.min(axis=1)) & (back[nearest] == rows)
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
