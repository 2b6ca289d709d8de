"""301 bins → few, three channels → the four cells of a Bayer cell."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from assay.systems.spectra.data.parts import BINS

Floats = npt.NDArray[np.float32]


def picked(bins: int) -> npt.NDArray[np.int64]:
    """Return the bins that `pick` keeps: the founders' rule."""
    return np.linspace(0, BINS - 1, bins, dtype=int)


def bands(bins: int) -> npt.NDArray[np.int64]:
    """Return where each band of `mean` begins; bands differ by one bin at most."""
    return np.array([band[0] for band in np.array_split(np.arange(BINS), bins)])


def thinned(spectra: Floats, how: str, bins: int) -> Floats:
    """Return spectra (n, channels, 301) as (n, channels, bins): every tenth bin, or the bands' means."""
    if how == "pick":
        return spectra.take(picked(bins), axis=2)
    starts = bands(bins)
    widths = np.diff(np.append(starts, BINS)).astype(np.float32)
    sums: Floats = np.add.reduceat(spectra, starts, axis=2)
    return sums / widths


def bayer(channels: Floats) -> Floats:
    """Return channels (n, 3, bins) in the order R, G, B as cells (n, 2, 2, bins): [[R, G], [G, B]].

    That is RGGB. The founders call it BGGR, which is its half turn: red and blue exchanged.
    """
    red, green, blue = (channels[:, channel] for channel in range(3))
    cells = np.empty((len(channels), 2, 2, channels.shape[2]), dtype=np.float32)
    cells[:, 0, 0], cells[:, 0, 1] = red, green
    cells[:, 1, 0], cells[:, 1, 1] = green, blue
    return cells
