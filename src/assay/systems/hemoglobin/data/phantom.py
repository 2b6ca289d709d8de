"""Phantom conjunctivae: colour from haemoglobin absorption, seen under varied skin, light, camera.

Model: light crosses the mucosa and comes back weakened by Beer–Lambert absorption in its blood,

    reflectance_c = base_c · exp(−ln 10 · ε_c · [Hb] · b − melanin_c · m)        c = R, G, B

with ε_c the molar extinction of oxyhaemoglobin averaged over a camera's bands (S. Prahl, "Optical
absorption of hemoglobin", OMLC, omlc.org/spectra/hemoglobin), 64,500 g/mol, and b the blood fraction
times the optical path, which varies between people. Then the light's colour, the camera's exposure,
shading, gamma 2.2 and noise. Hb is not readable from any single channel, because light and exposure
move all of them; it is from their ratios, up to the person's own b and m. The phantom nails share
blood, light and camera.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

Floats = npt.NDArray[np.float64]

EXTINCTION = np.array([2_500.0, 42_000.0, 68_000.0])  # cm⁻¹/(mol/L): 590–650, 510–580, 430–490 nm
GRAMS_PER_MOLE = 64_500.0
BLOOD_PATH = 0.0045  # cm: blood fraction × optical path
MELANIN = np.array([0.25, 0.55, 0.90])  # relative absorption, falls with the wavelength
TISSUE = np.array([0.92, 0.78, 0.72])  # reflectance of bloodless mucosa


def mucosa_colour(hb: float, blood_path: float, melanin: float, tissue: Floats = TISSUE) -> Floats:
    """Return the linear reflectance (3,) of mucosa, or of another tissue with blood and melanin.

    Args:
        hb: haemoglobin in g/dL.
        blood_path: blood fraction × optical path in cm.
        melanin: amount of melanin, 0 (fair) to 1 (dark).
        tissue: (3,) linear reflectance without blood and melanin.
    """
    molar = hb * 10 / GRAMS_PER_MOLE
    absorbance = np.log(10) * EXTINCTION * molar * blood_path
    colour: Floats = tissue * np.exp(-absorbance - MELANIN * melanin)
    return colour


def illumination(size: int, random: np.random.Generator) -> Floats:
    """Return what reaches each pixel (size, size, 3): the light's colour, exposure, shading."""
    light = np.exp(random.normal(0, [0.05, 0.02, 0.05]))  # colour temperature
    exposure = np.exp(random.normal(0, 0.10))
    slope_x, slope_y = random.normal(0, 0.06, 2)
    y, x = np.mgrid[-1 : 1 : complex(size), -1 : 1 : complex(size)]
    reaching: Floats = light * exposure * (1 + slope_x * x + slope_y * y)[..., None]
    return reaching


def developed(linear: Floats, random: np.random.Generator) -> Floats:
    """Return linear light (…, 3) as the camera stores it, 0–255: sensor noise, then gamma 2.2."""
    noisy = linear + random.normal(0, 0.008, linear.shape)
    stored: Floats = np.clip(noisy, 0, 1) ** (1 / 2.2) * 255
    return stored


def smooth_noise(size: int, random: np.random.Generator, cells: int = 8) -> Floats:
    """Return noise (size, size) of about unit spread, smooth over 1/`cells` of the picture."""
    coarse = Image.fromarray(random.normal(0, 1, (cells, cells)).astype(np.float32))
    return np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC), dtype=np.float64)


def crescent(size: int, random: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Return the mask (size, size) of a palpebral crescent of varied curvature and width."""
    y, x = np.mgrid[-1 : 1 : complex(size), -1 : 1 : complex(size)]
    bend, width, tilt = random.uniform(0.5, 0.9), random.uniform(0.30, 0.45), random.normal(0, 0.08)
    centre = 0.45 - bend * x**2 + tilt * x
    mask: npt.NDArray[np.bool_] = np.abs(y - centre) < width * np.sqrt(np.clip(1 - x**2, 0, None))
    return mask


def draw_conjunctiva(
    hb: float, blood_path: float, melanin: float, size: int, random: np.random.Generator
) -> Image.Image:
    """Return one RGBA photograph (size, size): the crescent, all else transparent."""
    mask = crescent(size, random)
    reaching = illumination(size, random)
    vessels = 1 + 0.10 * np.clip(smooth_noise(size, random), -2, 2)  # more blood along vessels
    colour = mucosa_colour(hb, blood_path, melanin)
    grown = TISSUE * (colour / TISSUE) ** vessels[..., None]
    encoded = developed(grown * reaching, random)
    rgba = np.dstack([encoded * mask[..., None], mask * 255]).round().astype(np.uint8)
    return Image.fromarray(rgba, "RGBA")


def write_person(
    folder: Path, names: list[str], hb: float, size: int, random: np.random.Generator
) -> None:
    """Write the photographs of one person: the same blood and skin, another light each time."""
    blood_path = BLOOD_PATH * np.exp(random.normal(0, 0.07))
    melanin = random.uniform(0, 0.5)
    for name in names:
        image = draw_conjunctiva(hb, blood_path, melanin, size, random)
        # Stored, not deflated: compressors give other bytes on other processors.
        image.save(folder / name, compress_level=0)
