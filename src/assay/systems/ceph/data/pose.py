"""How a head is held: points laid on the mean face by turn, scale and shift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from assay.systems.ceph.data.mean_face import mean_face

if TYPE_CHECKING:
    from assay.systems.ceph.data.mean_face import Floats

Complex = npt.NDArray[np.complex128]
ROUNDS = 8  # of re-weighting; the residuals have settled by then
NEAR = 2.0  # mm: nearer points all count alike
TINY = 1e-12


@dataclass(frozen=True)
class Fit:
    """n rows of points on the mean face.

    Attributes:
        aligned: (n, 29, 2) mm, in the frame of the mean face.
        scale: px a millimetre of the mean face.
        turn: degrees clockwise.
        misfit: median distance to the mean face in mm, infinite without points.
        count: points that it rests on.
    """

    aligned: Floats
    scale: Floats
    turn: Floats
    misfit: Floats
    count: npt.NDArray[np.int64]


def lay_on_mean(points: Floats, *, mirrored: bool = False) -> Fit:
    """Fit points (n, 29, 2) px to the mean face, or to its mirror image, top to bottom.

    Least absolute distances by re-weighting (Weiszfeld), so that an outlier hardly moves the fit.
    """
    norm = _complex(mean_face())[None]
    norm = norm.conj() if mirrored else norm
    there = np.asarray(np.isfinite(points).all(axis=2))
    seen = np.where(there, _complex(points), 0)
    weight = there.astype(np.float64)
    factor, shift = _similarity(norm, seen, weight)
    for _ in range(ROUNDS):
        off = np.abs(seen - factor * norm - shift)
        weight = np.asarray(there / np.maximum(off, np.maximum(NEAR * np.abs(factor), TINY)))
        factor, shift = _similarity(norm, seen, weight)
    laid = (seen - shift) / np.where(factor == 0, TINY, factor)
    laid = laid.conj() if mirrored else laid
    aligned = np.where(there[..., None], np.stack([laid.real, laid.imag], axis=2), np.nan)
    distance = np.linalg.norm(aligned - mean_face(), axis=2)
    misfit = [float(np.median(row[seen])) if seen.any() else np.inf
              for row, seen in zip(distance, there, strict=True)]  # fmt: skip
    scale, turn = np.abs(factor[:, 0]), np.degrees(np.angle(factor[:, 0]))
    return Fit(aligned, scale, turn, np.array(misfit), there.sum(axis=1))


def _complex(points: Floats) -> Complex:
    return np.asarray(points[..., 0] + 1j * points[..., 1])


def _similarity(norm: Complex, seen: Complex, weight: Floats) -> tuple[Complex, Complex]:
    """Return factor and shift (n, 1) of the weighted least squares `seen ≈ factor · norm + shift`."""

    def mean(values: Complex) -> Complex:
        return np.asarray((weight * values).sum(axis=1, keepdims=True) / count)

    count = np.maximum(weight.sum(axis=1, keepdims=True), TINY)
    middle, centre = mean(norm), mean(seen)
    arm = norm - middle
    factor = mean(arm.conj() * (seen - centre)) / np.maximum(mean(arm.conj() * arm).real, TINY)
    return factor, centre - factor * middle
