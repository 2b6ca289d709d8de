"""A phantom in the published layout: structures of the published kind, spectra by scalar diffraction.

Or by Maxwell's equations, in all processors; what is solved lies beside the phantom, named by what it
solves, so that a kill costs the structures at work.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.progress import track

from assay.runs.files import content_digest
from assay.systems.spectra.data.parts import SPECTRA, VALID
from assay.systems.spectra.optics.physics import BINS, spectra_of
from assay.systems.spectra.optics.structures import random_structures

if TYPE_CHECKING:
    from assay.systems.spectra.data.params import Phantom
    from assay.systems.spectra.data.thinning import Floats

SIDE = 128
BLOCK = 128  # structures at a time
OTHER = 0.8  # a conflicting spectrum is this part of the true one


def write_set(folder: Path, params: Phantom) -> None:
    """Write the parts into the empty `folder`; the last rows carry the faults that were asked for."""
    structures, valid = _structures(params), np.ones(params.samples, dtype=np.uint8)
    spectra = np.zeros((params.samples, 3, BINS), dtype=np.float32)
    end = params.samples - params.broken
    for count, code in ((params.failed, 2), (params.uncomputed, 0)):
        valid[end - count : end] = code
        end -= count
    computed = valid == 1
    if params.physics == "rcwa":
        spectra[computed], valid[computed] = _solved(structures[computed], folder, params.orders)
    else:
        spectra[computed] = _spectra(structures[computed])
    for row in range(params.samples - params.broken, params.samples):
        spectra[row, row % 3, row % BINS] = np.nan
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


def _solved(
    structures: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], folder: Path, orders: int
) -> tuple[Floats, np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    """Return channels as `_spectra` does, and the codes (n,) of a valid file: 2 where none was found."""
    from assay.systems.spectra.data.rcwa import Accuracy
    from assay.systems.spectra.data.rcwa_part import RcwaPart, solve_part

    name = content_digest([hashlib.md5(structures.tobytes()).hexdigest(), orders], 8)
    place = folder.parent / f"rcwa-{name}"
    place.mkdir(exist_ok=True)
    part = RcwaPart(place / SPECTRA.format(0), place / VALID.format(0))
    solve_part(structures, part, Accuracy(orders), len(os.sched_getaffinity(0)))
    return np.load(part.spectra), np.load(part.valid)
