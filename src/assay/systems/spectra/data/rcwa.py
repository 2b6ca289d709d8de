"""Structure → spectra by Maxwell's equations: rigorous coupled-wave analysis with the package grcwa.

Optional (extra `rcwa`; GPL-3, imported here alone). A structure of 600 nm silicon nitride in air on
glass, lit from the air by unpolarised light of normal incidence; a cell's value is the power that
flows through its quarter of the period, 2 µm below. Truncated at tens of orders it is not converged
(values move by up to about 0.1 from 69 orders on), but the laws of `learning.optics.symmetry` hold at
any truncation, which is symmetric itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import numpy as np
import numpy.typing as npt

from assay.errors import MachineError
from assay.systems.spectra.optics.physics import (
    BINS,
    DEPTH,
    GLASS,
    HEIGHT,
    LONGEST,
    SHORTEST,
    interpolation,
    refractive_index,
)

Any8 = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Powers = npt.NDArray[np.float64]
PERIOD = (
    2.0037  # µm; at 2 µm an order would graze at 400 and 500 nm, where the solution is singular
)
_SENSOR = 64  # raster of the sensor along a side


@dataclass(frozen=True)
class Accuracy:
    """What a solution costs: its time grows with the third power of `orders`.

    Attributes:
        orders: diffraction orders, at most; the package rounds down to a symmetric set.
        wavelengths: solved; the bins lie between them.
    """

    orders: int = 69
    wavelengths: int = 31


def solve_structure(structure: Any8, accuracy: Accuracy, bins: int = BINS) -> Floats:
    """Return the power (2, 2, bins) of a structure (side, side) of 0 and 1, as [[R, G1], [G2, B]].

    Raises:
        MachineError: the extra `rcwa` is not installed.
    """
    package = _package()
    wavelengths = np.linspace(SHORTEST, LONGEST, accuracy.wavelengths)
    nodes = [_power(package, structure, float(each), accuracy.orders) for each in wavelengths]
    cells = np.stack(nodes, axis=-1) @ interpolation(accuracy.wavelengths, bins)
    return cells.astype(np.float32)


def _package() -> ModuleType:
    try:
        import grcwa
    except ImportError as error:
        raise MachineError(
            "spectra.phantom.physics",
            "rcwa needs the package grcwa, which is not installed",
            "physics scalar, or the extra `rcwa` (GPL-3)",
            "uv pip install 'grcwa>=0.1.2'",
        ) from error
    found: ModuleType = grcwa
    return found


def _power(package: ModuleType, structure: Any8, wavelength: float, orders: int) -> Powers:
    """Return the power (2, 2) in the four quarters, the mean of both polarisations."""
    solver = package.obj(orders, [PERIOD, 0], [0, PERIOD], 1 / wavelength, 0.0, 0.0, verbose=0)
    solver.Add_LayerUniform(0.0, 1.0)
    solver.Add_LayerGrid(HEIGHT, *structure.shape)
    solver.Add_LayerUniform(0.0, GLASS**2)
    solver.Init_Setup()
    epsilon = np.where(structure, refractive_index(wavelength) ** 2, 1.0).astype(complex)
    solver.GridLayer_geteps(epsilon.ravel())
    total = np.zeros((2, 2))
    for p, s in ((1, 0), (0, 1)):
        solver.MakeExcitationPlanewave(p, 0, s, 0, order=0)
        transmitted = np.real(solver.RT_Solve(normalize=1)[1])
        (ex, ey, _), (hx, hy, _) = solver.Solve_FieldFourier(2, DEPTH)
        fields = [_on_sensor(each, solver.G, len(structure)) for each in (ex, ey, hx, hy)]
        flow = np.real(fields[0] * np.conj(fields[3]) - fields[1] * np.conj(fields[2]))
        half = _SENSOR // 2
        cells = flow.reshape(2, half, 2, half).sum(axis=(1, 3))
        total += transmitted * cells / cells.sum() / 2
    return total


def _on_sensor(
    coefficients: npt.NDArray[np.complex128], orders: npt.NDArray[np.int64], side: int
) -> npt.NDArray[np.complex128]:
    """Return a field on the sensor's raster from its Fourier coefficients.

    The package takes the structure's first pixel for the origin, so that its period is symmetric about
    half a pixel before it. The sensor's raster is laid symmetric about the same place: without the
    shift the quarters are not those of the structure, and the laws seem broken by 1–2.5 %.
    """
    shift = (1 / _SENSOR - 1 / side) / 2
    raster = np.zeros((_SENSOR, _SENSOR), complex)
    wave = np.exp(2j * np.pi * shift * orders.sum(axis=1))
    raster[orders[:, 0] % _SENSOR, orders[:, 1] % _SENSOR] = coefficients * wave
    return np.fft.ifft2(raster)
