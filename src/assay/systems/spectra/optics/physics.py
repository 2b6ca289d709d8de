"""Structure → spectra by scalar diffraction: a thin phase plate, and the light behind it on a sensor.

The structure delays a plane wave (silicon nitride, 600 nm, on a period of 2 µm); the diffraction orders
that travel reach the sensor below, each with the phase of its own angle; the power in a quarter of the
period is a cell's. No rigorous solution, but every law of one holds to rounding, since the plate acts
on each pixel alike and the propagation depends on the length of an order only:
the 32 maps of `symmetry`, power ≥ 0, the four cells' sum ≤ 1, G1 = G2 where a structure is symmetric.

The sensor's raster divides the structure's in blocks, so that both have one origin: half a pixel
between them would be a violation of 1–2.5 % that no law makes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
BINS = 301  # 400 to 700 nm
PERIOD = 2.0  # µm, two cells along a side
HEIGHT = 0.6  # µm of material
SHORTEST, LONGEST = 0.4, 0.7  # µm, the first bin's wavelength and the last's
DEPTH = 2.0  # µm from the plate to the sensor
GLASS = 1.46  # refractive index of what lies between
_SENSOR = 32  # raster of the sensor along a side, more than twice the 15 orders that travel
_NODES = 61  # wavelengths that are computed; the bins lie between them
_BLOCK = 64  # structures at a time


def spectra_of(structures: npt.NDArray[np.generic], *, bins: int = BINS) -> Floats:
    """Return the power (n, 2, 2, bins) of structures (n, side, side) of 0 and 1, as [[R, G1], [G2, B]].

    Deterministic, a sample's values do not depend on its neighbours. The side is a multiple of 2.
    """
    wavelengths = np.linspace(SHORTEST, LONGEST, _NODES)
    between = interpolation(_NODES, bins)
    spectra = np.empty((len(structures), 2, 2, bins), np.float32)
    for start in range(0, len(structures), _BLOCK):
        block = slice(start, start + _BLOCK)
        orders = _orders(structures[block])
        powers = [_power(orders, float(wavelength)) for wavelength in wavelengths]
        spectra[block] = np.stack(powers, axis=-1) @ between
    return spectra


def seen_through(
    structures: npt.NDArray[np.generic], plates: Sequence[tuple[float, float]], bands: int
) -> Floats:
    """Return the power (n, plates, 2, 2, bands) behind plates of (height, depth) µm; few wavelengths."""
    waves = np.linspace(SHORTEST, LONGEST, 2 * bands + 1)[1::2]
    found = np.empty((len(structures), len(plates), 2, 2, bands), np.float32)
    for start in range(0, len(structures), _BLOCK):
        block = slice(start, start + _BLOCK)
        orders = _orders(structures[block])
        for number, plate in enumerate(plates):
            powers = [_power(orders, float(wave), *plate) for wave in waves]
            found[block, number] = np.stack(powers, axis=-1)
    return found


def refractive_index(wavelength: float) -> float:
    """Return the refractive index of silicon nitride at a wavelength in µm (Philipp, 1973)."""
    return float(np.sqrt(1 + 2.8939 * wavelength**2 / (wavelength**2 - 0.13967**2)))


def _orders(structures: npt.NDArray[np.generic]) -> npt.NDArray[np.complex64]:
    """Return Fourier coefficients (n, _SENSOR, _SENSOR) about the raster's middle, low orders only."""
    side = structures.shape[-1]
    low = np.fft.fftfreq(_SENSOR, 1 / _SENSOR)
    at = (np.arange(side) + 0.5) / side
    wave = np.exp(-2j * np.pi * np.outer(low, at)).astype(np.complex64) / side
    found: npt.NDArray[np.complex64] = wave @ structures.astype(np.float32) @ wave.T
    return found


def _power(
    orders: npt.NDArray[np.complex64],
    wavelength: float,
    height: float = HEIGHT,
    distance: float = DEPTH,
) -> Floats:
    """Return the power (n, 2, 2) in the four quarters, at one wavelength in µm."""
    low = np.fft.fftfreq(_SENSOR, 1 / _SENSOR)
    along = (GLASS / wavelength) ** 2 - (low[:, None] ** 2 + low[None, :] ** 2) / PERIOD**2
    travels = along > 0
    phase = 2 * np.pi * distance * np.sqrt(np.where(travels, along, 0))
    carry = np.where(travels, np.exp(1j * phase), 0).astype(np.complex64)
    delay = 2 * np.pi * height * (refractive_index(wavelength) - 1) / wavelength
    plate = np.complex64(np.exp(1j * delay) - 1) * orders
    plate[:, 0, 0] += 1  # where there is no material the wave goes on
    at = (np.arange(_SENSOR) + 0.5) / _SENSOR
    wave = np.exp(2j * np.pi * np.outer(at, low)).astype(np.complex64)
    field = wave @ (plate * carry) @ wave.T
    light = field.real**2 + field.imag**2
    half = _SENSOR // 2
    cells: Floats = light.reshape(-1, 2, half, 2, half).sum(axis=(2, 4)) / np.float32(_SENSOR**2)
    return cells


def interpolation(nodes: int, bins: int) -> Floats:
    """Return weights (nodes, bins) of linear interpolation: what holds at the nodes holds between."""
    at = np.linspace(0, nodes - 1, bins)
    left = np.minimum(at.astype(int), nodes - 2)
    weights = np.zeros((nodes, bins), np.float32)
    weights[left, np.arange(bins)] = 1 - (at - left)
    weights[left + 1, np.arange(bins)] = at - left
    return weights
