"""A phantom in the published layout: structures of the published kind, spectra by scalar diffraction."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.progress import track

from assay.learning.optics.physics import spectra_of
from assay.learning.optics.structures import random_structures
from assay.systems.spectra.data.parts import SPECTRA, VALID

if TYPE_CHECKING:
    from assay.systems.spectra.data.sections import Phantom
    from assay.systems.spectra.data.thinning import Floats

SIDE = 128
BLOCK = 128  # structures at a time
OTHER = 0.8  # a conflicting spectrum is this part of the true one


def write_set(folder: Path, params: Phantom) -> None:
    """Write the parts into the empty `folder`; the last rows carry the faults that were asked for."""
    structures = _structures(params)
    spectra = _spectra(structures)
    valid = np.ones(len(structures), dtype=np.uint8)
    end = len(structures)
    for _ in range(params.broken):
        end -= 1
        spectra[end, end % 3, end % 301] = np.nan
    for count, code in ((params.failed, 2), (params.uncomputed, 0)):
        valid[end - count : end], spectra[end - count : end] = code, 0
        end -= count
    spectra[end - params.conflicts : end] *= np.float32(OTHER)
    # Parts are dealt row by row, so that each has its share of the faults.
    for number in range(params.parts):
        rows = slice(number, None, params.parts)
        np.save(folder / f"binary_dataset_{SIDE}_{number}.npy", structures[rows, None])
        np.save(folder / SPECTRA.format(number), spectra[rows])
        np.save(folder / VALID.format(number), valid[rows])


def _structures(params: Phantom) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Draw structures; those of planted copies stand before the rows of other faults."""
    random = np.random.default_rng(params.seed)
    drawn = random_structures(params.samples, random, size=SIDE, diagonal=params.diagonal)
    end = params.samples - params.broken - params.failed - params.uncomputed
    first = end - params.conflicts
    drawn[first:end] = drawn[: params.conflicts]
    twins = slice(params.conflicts, params.conflicts + params.twins)
    drawn[first - params.twins : first] = drawn[twins, ::-1, ::-1]
    return drawn


def _spectra(structures: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Floats:
    """Return the published channels (n, 3, 301), negative: red, the mean of both greens, blue."""
    channels = []
    for start in track(range(0, len(structures), BLOCK), "phantom spectra"):
        cells = spectra_of(structures[start : start + BLOCK])
        green = (cells[:, 0, 1] + cells[:, 1, 0]) / 2
        channels.append(-np.stack([cells[:, 0, 0], green, cells[:, 1, 1]], axis=1))
    return np.concatenate(channels)
