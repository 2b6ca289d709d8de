"""A perceptual hash whose eight views (flips, 90° turns, transposes) follow from the hash itself.

The usual hash compares each coefficient with their median, which changes under a flip. The sign of
a DCT coefficient only turns over, by the parity of its row or column, so that no view of an image
is ever hashed anew. The DCT hash: Zauner, Implementation and Benchmarking of Perceptual Image Hash
Functions, 2010; signs in place of the median are ours.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.fft import dct

Hashes = npt.NDArray[np.uint64]

SIDE, LOW = 32, 8  # the grey picture, and the block of its lowest frequencies
LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
# Grey levels × 32: far above rounding (1e-11), far below what one grey level changes (about 1).
FLAT = 1e-6
CHUNK = 1 << 24  # pixels at once: 128 MiB of grey
ODD_COLUMNS = np.uint64(0xAAAAAAAAAAAAAAAA)
ODD_ROWS = np.uint64(0xFF00FF00FF00FF00)
# Swaps of an 8 × 8 bit matrix about its diagonal: (shift, upper bits of what changes places).
SWAPS = (
    (np.uint64(7), np.uint64(0x00AA00AA00AA00AA)),
    (np.uint64(14), np.uint64(0x0000CCCC0000CCCC)),
    (np.uint64(28), np.uint64(0x00000000F0F0F0F0)),
)


def perceptual_hash(pixels: npt.NDArray[np.uint8]) -> Hashes:
    """Return the signs of the 8 × 8 lowest DCT-II coefficients of each image, brought to 32 × 32.

    Bit `8 · row + column` is set where the coefficient is positive; bit 0, the mean, stays 0. A
    constant image has the hash 0: nothing in it has a sign.

    Args:
        pixels: (n, height, width, 3) RGB; a memory map is read in chunks.

    Returns:
        (n,) hashes.
    """
    count, height, width, _ = pixels.shape
    down, across = _low_basis(height), _low_basis(width)
    bits = np.uint64(1) << np.arange(LOW * LOW, dtype=np.uint64)
    bits[0] = 0
    hashes = np.zeros(count, dtype=np.uint64)
    step = max(1, CHUNK // (height * width))
    for start in range(0, count, step):
        grey = pixels[start : start + step] @ LUMA
        low = (down @ grey @ across.T).reshape(-1, LOW * LOW)
        hashes[start : start + step] = np.where(low > FLAT, bits, 0).sum(axis=1, dtype=np.uint64)
    return hashes


def views(hashes: Hashes) -> Hashes:
    """Return the hashes (n, 8) of every image's eight views, the image itself first.

    A flip turns the signs of odd columns over, an upside-down flip those of odd rows, a transpose
    swaps rows with columns; the eight are all combinations. Exact but for coefficients that are
    zero, as in an image that equals its own mirror image.
    """
    turned = np.stack([hashes, _transpose(hashes)])
    masks = np.array([0, ODD_COLUMNS, ODD_ROWS, ODD_COLUMNS ^ ODD_ROWS], dtype=np.uint64)
    return (turned[:, :, None] ^ masks).transpose(1, 0, 2).reshape(len(hashes), 8)


def _transpose(hashes: Hashes) -> Hashes:
    for shift, mask in SWAPS:
        change = (hashes ^ (hashes >> shift)) & mask
        hashes = hashes ^ change ^ (change << shift)
    return hashes


def _low_basis(length: int) -> npt.NDArray[np.float64]:
    """Return (8, length): area resizing to 32 and the DCT, which are both linear, as one matrix."""
    edges = np.linspace(0, length, SIDE + 1)
    pixel = np.arange(length)
    low = np.maximum(edges[:-1, None], pixel)
    high = np.minimum(edges[1:, None], pixel + 1)
    area = np.maximum(high - low, 0) * SIDE / length
    return np.asarray(dct(area, axis=0, norm="ortho")[:LOW])
