"""Which images have the same kinds of local features: an inverted index of their visual words.

Colour tells photographs apart, but not grey films, nor many pictures of one kind. Of textures of one
palette and grain, one in ten of them standing again mirrored, cropped and re-encoded, ten neighbours
by words hold all copies among 1,000 and 3,000; by colour 0.20 and 0.14. Of 60 films all, by either, the
first neighbour alone; of small eyes 0.68, for what encoding leaves of them is not their texture.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from assay.similar.words import KINDS

Integers = npt.NDArray[np.int64]
Words = npt.NDArray[np.int32]

CHUNK = 256  # images whose likeness to all others is held at once
COMMON = (
    512  # images: a word of more tells little, and would make the search grow with their square
)


def word_weights(found: list[Words]) -> csr_array:
    """Return the weights (n, KINDS²) of each image's visual words, of length 1, or 0 without words.

    A bag of visual words (Sivic, Zisserman, ICCV 2003). Counts enter by their square root, rare words
    weigh more; what stands in one image only, or in more than COMMON, is left out.

    Args:
        found: the words of each image, one of them as often as it stands there.
    """
    shape = len(found), KINDS**2
    if not found:
        return csr_array(shape, dtype=np.float32)
    each = [np.unique(words, return_counts=True) for words in found]
    words, counts = (np.concatenate(part) for part in zip(*each, strict=True))
    rows = np.repeat(np.arange(len(found)), [len(kinds) for kinds, _ in each])
    held = np.bincount(words, minlength=KINDS**2)
    weights = np.sqrt(counts) * np.log((1 + len(found)) / (1 + held))[words]
    length = np.sqrt(np.bincount(rows, weights**2, minlength=len(found)))
    weights /= np.maximum(length, np.finfo(np.float32).tiny)[rows]
    told = (held[words] > 1) & (held[words] <= COMMON)
    starts = np.searchsorted(rows[told], np.arange(len(found) + 1))
    return csr_array((weights[told].astype(np.float32), words[told], starts), shape=shape)


def most_alike(weights: csr_array, groups: Integers, count: int) -> Integers:
    """Return the pairs (m, 2) of rows i < j, sorted, of which one is among the other's most alike.

    Args:
        weights: (n, words), of length 1.
        groups: (n,) group of each row; rows of its own, or without a common word, are left out.
        count: rows proposed for each at most.
    """
    found, every = [np.empty((0, 2), dtype=np.int64)], weights.T.tocsr()
    for start in range(0, weights.shape[0], CHUNK):
        likeness = weights[start : start + CHUNK] @ every
        for row in range(likeness.shape[0]):
            part = slice(likeness.indptr[row], likeness.indptr[row + 1])
            others, alike = likeness.indices[part], likeness.data[part]
            strange = groups[others] != groups[start + row]
            others, alike = others[strange], alike[strange]
            few = min(count, len(alike))
            nearest = others[np.argpartition(alike, -few)[len(alike) - few :]] if few else others
            pair = np.full(len(nearest), start + row), nearest
            found.append(np.stack(pair, axis=1).astype(np.int64))
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0)
