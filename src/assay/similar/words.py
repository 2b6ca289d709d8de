"""What kinds of local features an image has: alike for copies, however cut or turned.

Colour tells photographs apart, but not grey films, nor many pictures of one kind. Of textures of one
palette and grain, one in ten of them standing again mirrored, cropped and re-encoded, ten neighbours
by words hold all copies among 1,000 and 3,000 and 0.997 among 10,000; by 1,024 kinds of whole
descriptors 0.23, 0.11 and 0.10 (by colour 0.20, 0.14, 0.07). Of 60 films all, by either, the first
neighbour alone; of 294 small eyes 0.68 (0.52), for what encoding leaves of them is not their texture.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from sklearn.preprocessing import normalize

from assay.similar.features import MIRROR, Features

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Descriptors = npt.NDArray[np.uint8]

HALF = 64  # of a descriptor's 128 numbers: the upper two rows of its grid, and the lower two
KINDS = 1024  # of each half
CHUNK = 256  # images whose likeness to all others is held at once
# Of a descriptor minus its mirrored self, which half must be heavier: orientations 1–3, not 5–7.
LEANING = np.tile(np.array([0, 1, 1, 1, 0, -1, -1, -1], dtype=np.float32), 16)


def word_weights(features: list[Features], seed: int) -> csr_array:
    """Return the weights (n, KINDS²) of each image's visual words, of length 1, or 0 without words.

    A bag of visual words (Sivic, Zisserman, ICCV 2003). A word is the pair of kinds of a
    descriptor's two halves (the inverted multi-index: Babenko, Lempitsky, CVPR 2012); the kinds are
    random halves of the set. A million words for the price of 2048: so fine a word is shared with
    few strangers. Each half counts as its two nearest, so that a copy still shares it: by the nearest
    alone 0.96 instead of all copies are proposed among 3,000 textures.
    Of a descriptor and its mirrored self always the same one is counted, so a mirrored image has
    the same words. Counts enter by their square root, rare words weigh more.

    Args:
        features: of each image.
        seed: of the choice of kinds.
    """
    shape = len(features), KINDS**2
    if not features:
        return csr_array(shape, dtype=np.float32)
    kinds = _kinds(features, seed)
    counted = [np.unique(_words(each.descriptors, kinds), return_counts=True) for each in features]
    words, counts = (np.concatenate(each) for each in zip(*counted, strict=True))
    starts = np.cumsum([0, *(len(found) for found, _ in counted)], dtype=np.int32)
    rarity = np.log((1 + len(features)) / (1 + np.bincount(words, minlength=KINDS**2)))
    weights = (np.sqrt(counts) * rarity[words]).astype(np.float32)
    return normalize(csr_array((weights, words, starts), shape=shape))


def most_alike(weights: csr_array, groups: Integers, count: int) -> Integers:
    """Return the pairs (m, 2) of rows i < j, sorted, of which one is among the other's most alike.

    Args:
        weights: (n, words), of length 1.
        groups: (n,) group of each row; rows of its own, or without a common word, are left out.
        count: rows proposed for each at most.
    """
    found, every = [np.empty((0, 2), dtype=np.int64)], weights.T.tocsr()
    for start in range(0, weights.shape[0], CHUNK):
        likeness = (weights[start : start + CHUNK] @ every).toarray()
        likeness[groups[start : start + CHUNK, None] == groups] = 0
        few = min(count, len(groups))
        nearest = np.argpartition(likeness, -few, axis=1)[:, -few:]
        rows, places = np.nonzero(np.take_along_axis(likeness, nearest, axis=1))
        found.append(np.stack([start + rows, nearest[rows, places]], axis=1))
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0)


def _kinds(features: list[Features], seed: int) -> Floats:
    """Return the halves (2, KINDS, HALF) of random descriptors of the set; fewer of a small one."""
    ends = np.cumsum([0, *(len(each.descriptors) for each in features)])
    chosen = np.sort(np.random.default_rng(seed).permutation(int(ends[-1]))[:KINDS])
    owners = np.searchsorted(ends, chosen, side="right") - 1
    places = zip(owners.tolist(), (chosen - ends[owners]).tolist(), strict=True)
    drawn = [features[owner].descriptors[place] for owner, place in places]
    return _halves(np.array(drawn, dtype=np.uint8).reshape(-1, 2 * HALF))


def _words(descriptors: Descriptors, kinds: Floats) -> npt.NDArray[np.int32]:
    """Return the four words of each descriptor, one behind the other."""
    if not len(descriptors):
        return np.empty(0, dtype=np.int32)
    upper, lower = (_two_nearest(*each) for each in zip(_halves(descriptors), kinds, strict=True))
    return (upper[:, :, None] * KINDS + lower[:, None, :]).ravel().astype(np.int32)


def _two_nearest(vectors: Floats, kinds: Floats) -> Integers:
    """Return the two nearest kinds (k, 2) of each vector; the one there is, twice.

    All are whole numbers or halves below 2²³, exact in float32 in any order of summation.
    """
    closeness = vectors @ kinds.T - (kinds**2).sum(axis=1) / 2
    first = closeness.argmax(axis=1)
    closeness[np.arange(len(vectors)), first] = -np.inf
    return np.stack([first, closeness.argmax(axis=1)], axis=1)


def _halves(descriptors: Descriptors) -> Floats:
    """Return the halves (2, k, HALF) of descriptors (k, 128), each turned to its heavier side."""
    lean = descriptors.astype(np.float32) @ LEANING
    upright = np.where(lean[:, None] < 0, descriptors[:, MIRROR], descriptors)
    return upright.reshape(-1, 2, HALF).swapaxes(0, 1).astype(np.float32)
