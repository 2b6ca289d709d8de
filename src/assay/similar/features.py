"""What is kept of an image: local features, a small grey picture, and its colour."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from assay.similar.colour import described
from assay.similar.dense import picture_mask, reliefs
from assay.similar.words import KINDS, SEED, as_halves, drawn, words

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

AREA = 200**2  # px of what is lit; SIFT doubles each side. Smaller images are enlarged to it,
ENLARGED = 4.0  # … by no more: what is between their pixels looks alike everywhere
LARGEST = 640  # px of the longest side, to which larger images are brought first
DARKEST = 1 / 8  # of an image counts as lit at least: a cut-out eye is a quarter of its rectangle
# 320 take eyes for others' that are the same: of 498 contents of CP-AnemiC they make 295 eyes, not 287.
KEYPOINTS = 400
CONTRAST = 0.003  # OpenCV's 0.04 leaves 50 keypoints on a smooth crop of tissue
CLIP = 4.0  # of the adaptive equalisation: pale vessels count as much as dark ones
RIM, SMALL_RIM = 5, 5  # px kept off the edge of a crop, a mere outline; of the small picture
NORM = 512  # length of a stored descriptor
PICTURE = 160  # px of the longest side of the small picture
MAGNIFIED = 4 / 3  # a smaller image at most
# The order of a mirrored keypoint's 4 × 4 × 8 bins: grid rows reversed, orientations negated.
MIRROR = np.arange(128).reshape(4, 4, 8)[::-1][..., -np.arange(8)].ravel()
# Of a descriptor minus its mirrored self, which half must be heavier: orientations 1–3, not 5–7.
LEANING = np.tile(np.array([0, 1, 1, 1, 0, -1, -1, -1], dtype=np.float32), 16)


@dataclass(frozen=True)
class Features:
    """What is kept of an image; k keypoints.

    `points` (k, 2) lie in px of the small picture from its centre, `angles` (k,) are theirs in degrees;
    `descriptors` (k, 128) their RootSIFT, each turned to its heavier side, `turned` (k,) whether it was,
    `words` (k, 4) what kinds they are of; `picture` is grey and small, 0 outside, `relief` its middle
    frequencies at half its side, and `frame` as a square; `colour` (21,).
    """

    points: Floats
    angles: Floats
    turned: npt.NDArray[np.bool_]
    descriptors: Pixels
    words: npt.NDArray[np.int32]
    picture: Pixels
    relief: npt.NDArray[np.int8]
    frame: npt.NDArray[np.int8]
    colour: Floats


def extract(image: Pixels) -> Features:
    """Return the strongest SIFT features (Lowe 2004) of an image (height, width, 3), and the rest."""
    cv2.setNumThreads(1)
    image = _resized(image, min(1.0, LARGEST / max(image.shape[:2])))
    whole = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.uint8)
    height, width = whole.shape
    lit = max(np.count_nonzero(picture_mask(whole, 1)), DARKEST * height * width)
    grey = _resized(whole, min((AREA / lit) ** 0.5, ENLARGED))
    small = _resized(whole, min(PICTURE / max(height, width), MAGNIFIED))
    points, angles, raw = _keypoints(grey)
    points *= np.array(small.shape[::-1], dtype=np.float32) / grey.shape[::-1]
    descriptors, turned = _upright(raw)
    picture = np.maximum(small, 1) * picture_mask(small, SMALL_RIM)
    return Features(
        points, angles, turned, descriptors, words(descriptors, _kinds()),
        picture, *reliefs(picture), described(image),
    )  # fmt: skip


def _keypoints(grey: Pixels) -> tuple[Floats, Floats, Floats]:
    """Return places from the centre, angles, and SIFT descriptors (k, 128)."""
    even = cv2.createCLAHE(CLIP, (8, 8)).apply(grey)
    sift = cv2.SIFT.create(KEYPOINTS, contrastThreshold=CONTRAST, enable_precise_upscale=True)
    found, raw = sift.detectAndCompute(even, picture_mask(grey, RIM) * 255)
    # SIFT returns a little more than asked for where responses are equal.
    found = found[:KEYPOINTS]
    points = np.array([each.pt for each in found], dtype=np.float32).reshape(-1, 2)
    centre = ((np.array(grey.shape[::-1]) - 1) / 2).astype(np.float32)
    angles = np.array([each.angle for each in found], dtype=np.float32)
    raw = raw[:KEYPOINTS] if found else np.empty((0, 128), np.float32)
    return points - centre, angles, raw.reshape(-1, 128).astype(np.float32, copy=False)


def _upright(raw: Floats) -> tuple[Pixels, npt.NDArray[np.bool_]]:
    """Return RootSIFT (Arandjelović, Zisserman, CVPR 2012): roots of the L1-normalised descriptor.

    In uint8 its dot products are whole numbers below 2²⁴, exact in float32 in any order of
    summation, so that no thread count and no BLAS changes a match. Of a descriptor and its mirrored
    self always the same one is kept, so that a mirrored image has the same descriptors.
    """
    share = raw / np.maximum(raw.sum(axis=1, keepdims=True), 1)
    roots = np.minimum(np.rint(np.sqrt(share) * NORM), 255).astype(np.uint8)
    turned = roots.astype(np.float32) @ LEANING < 0
    return np.where(turned[:, None], roots[:, MIRROR], roots), turned


@cache
def _kinds() -> Floats:
    """Return the halves (2, KINDS, HALF) of descriptors of the drawn pictures."""
    greys = [cv2.cvtColor(each, cv2.COLOR_RGB2GRAY).astype(np.uint8) for each in drawn()]
    every = np.concatenate([_upright(_keypoints(grey)[-1])[0] for grey in greys])
    chosen = np.random.default_rng(SEED).permutation(len(every))[:KINDS]
    return as_halves(every[np.sort(chosen)])


def _resized(image: Pixels, factor: float) -> Pixels:
    if factor == 1:
        return image
    height, width = image.shape[:2]
    size = max(1, round(width * factor)), max(1, round(height * factor))
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(image, size, interpolation=way).astype(np.uint8)
