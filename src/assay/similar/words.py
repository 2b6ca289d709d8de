"""What kinds of local features an image has, how often: alike for copies, however cut or turned.

Colour tells photographs apart, but not grey films: of a film cropped to 80 % it proposes the
original one time in eight, words nearly always (measured on 24 films under nine changes).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from assay.similar.features import MIRROR, Features

Floats = npt.NDArray[np.float32]
Descriptors = npt.NDArray[np.uint8]

WORDS = 1024
# Of a descriptor minus its mirrored self, which half must be heavier: orientations 1–3, not 5–7.
LEANING = np.tile(np.array([0, 1, 1, 1, 0, -1, -1, -1], dtype=np.float32), 16)


def word_histograms(features: list[Features], seed: int) -> Floats:
    """Return the weighted word counts (n, WORDS) of each image, of length 1, or 0 without words.

    A bag of visual words (Sivic, Zisserman, ICCV 2003) with random descriptors of the set as words.
    Of a descriptor and its mirrored self always the same one is counted, so a mirrored image has
    the same words. Counts enter by their square root, rare words weigh more.

    Args:
        features: of each image.
        seed: of the choice of words.
    """
    upright = [_upright(each.descriptors) for each in features]
    every = np.concatenate([np.empty((0, 128), dtype=np.uint8), *upright])
    chosen = np.random.default_rng(seed).permutation(len(every))[:WORDS]
    words = every[np.sort(chosen)].astype(np.float32).T
    counts = np.zeros((len(features), WORDS), dtype=np.float32)
    for row, descriptors in enumerate(upright):
        if len(descriptors):
            nearest = (descriptors.astype(np.float32) @ words).argmax(axis=1)
            counts[row] = np.bincount(nearest, minlength=WORDS)
    rarity = np.log((1 + len(features)) / (1 + np.count_nonzero(counts, axis=0)))
    weighted = np.sqrt(counts) * rarity.astype(np.float32)
    length = np.linalg.norm(weighted, axis=1, keepdims=True)
    return np.asarray(weighted / np.where(length > 0, length, 1), dtype=np.float32)


def _upright(descriptors: Descriptors) -> Descriptors:
    lean = descriptors.astype(np.float32) @ LEANING
    return np.where(lean[:, None] < 0, descriptors[:, MIRROR], descriptors)
