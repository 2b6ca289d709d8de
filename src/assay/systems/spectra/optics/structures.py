"""Structures as the published ones are made: a coarse random seed, smoothed, cut at a quantile.

A seed of 16 × 16 normal values is interpolated bilinearly to the raster, blurred, and set to 1 above a
quantile: all periodic. A seed symmetric about its diagonal gives a structure that is so exactly.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.uint8]
SEED = 16  # values of a seed along a side
BLUR = 4.0 / 128  # standard deviation, in shares of the period
FILL = (0.20, 0.45)  # the share of a structure that is material is drawn from here


def random_structures(
    count: int, rng: np.random.Generator, *, size: int = 128, diagonal: bool = True
) -> Bits:
    """Return structures (count, size, size) of 0 and 1; `diagonal` as published, else of any form."""
    enlarge = _enlarge(size)
    structures = np.empty((count, size, size), np.uint8)
    for row in range(count):
        seed = rng.normal(size=(SEED, SEED))
        smooth = enlarge @ ((seed + seed.T) / 2 if diagonal else seed) @ enlarge.T
        if diagonal:
            smooth = (smooth + smooth.T) / 2  # a product's rounding is not symmetric
        cut = np.quantile(smooth, 1 - rng.uniform(*FILL))
        structures[row] = smooth > cut
    return structures


def _enlarge(size: int) -> npt.NDArray[np.float64]:
    """Return the matrix (size, SEED) that interpolates a periodic line and blurs it."""
    at = (np.arange(size) + 0.5) * SEED / size - 0.5
    left = np.floor(at).astype(int)
    matrix = np.zeros((size, SEED))
    matrix[np.arange(size), left % SEED] += 1 - (at - left)
    matrix[np.arange(size), (left + 1) % SEED] += at - left
    order = np.fft.fftfreq(size, 1 / size)[:, None]
    decay = np.exp(-2 * (np.pi * BLUR * order) ** 2)
    return np.fft.ifft(np.fft.fft(matrix, axis=0) * decay, axis=0).real
