"""Descriptors: what an image is like in a dozen numbers, made when it is read; drift is seen in them.

Measured of the stored square: colour and exposure at up to 32 × 32 evenly spaced pixels, sharpness and
noise at up to 16 × 16 pixels with their eight neighbours; the same places in every image of a size. Grey
is Y = (77 R + 150 G + 29 B) / 256 (ITU-R BT.601). Sums are of whole numbers (halves in yb) far below 2⁵³,
exact in any order, and what is made of them is rounded: another processor gives the same.

Pixels that are black in every channel are ground (transparency laid on black, bars of a letterbox): they
count for `filled` alone, and neighbourhoods with any of them do not count. Where nothing is left, null.

- `brightness`: mean of Y, 0–255.
- `contrast`: standard deviation of Y (RMS contrast), grey levels.
- `sharpness`: variance of Y under 0 1 0 / 1 −4 1 / 0 1 0 (Laplacian; Pech-Pacheco 2000), grey levels².
- `noise`: σ = √(π/2) / 6 × mean of |Y| under 1 −2 1 / −2 4 −2 / 1 −2 1 (Immerkær 1996), grey levels.
- `colourfulness`: √(σ²rg + σ²yb) + 0.3 √(μ²rg + μ²yb) with rg = R − G and yb = (R + G) / 2 − B (Hasler
  and Süsstrunk 2003).
- `red`, `green`, `blue`: means of the channels, 0–255.
- `underexposed`, `overexposed`: shares of pixels with Y below 16, and with a channel above 250.
- `filled`: share of pixels that are no ground.
- `megapixels`, `aspect`: of the file, upright: width × height / 10⁶, width / height.
- `jpeg_quality`: 1–100 on libjpeg's scale, within 1 above 10, from its table of luminance; null where the
  file is no JPEG.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

PIXELS = (
    "brightness", "contrast", "sharpness", "noise", "colourfulness", "red", "green", "blue",
    "underexposed", "overexposed", "filled",
)  # fmt: skip
FILE = ("megapixels", "aspect", "jpeg_quality")
NAMES = (*PIXELS, *FILE)  # the fields of a manifest's column `descriptors`, each Float64
TONES, TEXTURES = 32, 16  # most places along a side
BATCH = 64  # images whose samples fit a processor's cache
DIGITS = 4
WEIGHTS = (77, 150, 29)  # of R, G, B in Y, of 256
DARK, CLIPPED = 16, 250
IMMERKAER = float(np.sqrt(np.pi / 2)) / 6
LUMINANCE = 3685  # sum of libjpeg's table of luminance (ITU-T T.81, K.1), which quality scales
Pixels = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float64]


def describe(pixels: Pixels) -> dict[str, Values]:
    """Return `PIXELS` → (n,) of images (n, h, w, 3) uint8; nan where an image has nothing to measure."""
    if not len(pixels):
        return {name: np.empty(0) for name in PIXELS}
    parts = [_described(pixels[at : at + BATCH]) for at in range(0, len(pixels), BATCH)]
    return {name: np.concatenate([part[name] for part in parts]) for name in PIXELS}


def of_files(
    width: Sequence[int], height: Sequence[int], quantized: Sequence[int]
) -> dict[str, Values]:
    """Return `FILE` → (n,) of files; nan for what they have not.

    Args:
        width: px, upright; 0 where nothing was read.
        height: px.
        quantized: sums of the tables of luminance of JPEGs; 0 where a file is none.
    """
    wide, high, table = (
        np.where(np.equal(each, 0), np.nan, each) for each in (width, height, quantized)
    )
    scale = 100 * table / LUMINANCE
    quality = np.where(scale > 100, 5000 / scale, (200 - scale) / 2)
    return {
        "megapixels": _rounded(wide * high / 1e6),
        "aspect": _rounded(wide / high),
        "jpeg_quality": np.clip(np.rint(quality), 1, 100),
    }


def _described(pixels: Pixels) -> dict[str, Values]:
    with np.errstate(invalid="ignore", divide="ignore"):  # an image of ground alone: 0 / 0
        found = _tones(pixels) | _texture(pixels)
    return {name: _rounded(values) for name, values in found.items()}


def _tones(pixels: Pixels) -> dict[str, Values]:
    """Measure colour and exposure; ground adds nothing to any sum."""
    channels = _spaced(pixels, TONES).reshape(len(pixels), -1, 3).transpose(2, 0, 1)
    red, green, blue = np.ascontiguousarray(channels, np.float64)
    y = WEIGHTS[0] * red + WEIGHTS[1] * green + WEIGHTS[2] * blue
    seen = y > 0
    count = seen.sum(1)
    brightness, contrast = _moments(y, count)
    mean_rg, spread_rg = _moments(red - green, count)
    mean_yb, spread_yb = _moments((red + green) / 2 - blue, count)
    clipped = (red > CLIPPED) | (green > CLIPPED) | (blue > CLIPPED)
    return {
        "brightness": brightness / 256,
        "contrast": contrast / 256,
        "colourfulness": np.hypot(spread_rg, spread_yb) + 0.3 * np.hypot(mean_rg, mean_yb),
        "red": red.sum(1) / count,
        "green": green.sum(1) / count,
        "blue": blue.sum(1) / count,
        "underexposed": ((y < DARK * 256) & seen).sum(1) / count,
        "overexposed": clipped.sum(1) / count,
        "filled": count / y.shape[1],
    }


def _texture(pixels: Pixels) -> dict[str, Values]:
    """Measure sharpness and noise in neighbourhoods without ground."""
    height, width = (max(side - 2, 0) for side in pixels.shape[1:3])
    y = [
        _grey(_spaced(pixels[:, row : row + height, column : column + width], TEXTURES))
        for row in range(3)
        for column in range(3)
    ]
    seen = np.minimum.reduce(y) > 0
    count = seen.sum(1)
    middle = 4 * y[4]
    cross = y[1] + y[3] + y[5] + y[7]
    corners = y[0] + y[2] + y[6] + y[8]
    laplacian, grain = (cross - middle) * seen, (corners - 2 * cross + middle) * seen
    return {
        "sharpness": (_moments(laplacian, count)[1] / 256) ** 2,
        "noise": IMMERKAER * np.abs(grain).sum(1) / count / 256,
    }


def _spaced(pixels: Pixels, most: int) -> Pixels:
    rows, columns = (max(1, -(-side // most)) for side in pixels.shape[1:3])
    return pixels[:, ::rows, ::columns]


def _grey(pixels: Pixels) -> Values:
    """Return 256 Y (n, places): 0 where every channel is 0, and only there."""
    red, green, blue = (pixels[..., at] * np.uint16(WEIGHTS[at]) for at in range(3))
    y: Values = (red + green + blue).reshape(len(pixels), -1).astype(np.float64)
    return y


def _moments(values: Values, count: npt.NDArray[np.int64]) -> tuple[Values, Values]:
    """Return mean and standard deviation of the rows' values, of which all but `count` are 0."""
    total, squares = values.sum(1), np.einsum("ij,ij->i", values, values)
    # Whole until the last step: no digits are lost where a picture is nearly flat.
    return total / count, np.sqrt(count * squares - total * total) / count


def _rounded(values: Values) -> Values:
    return np.round(values, DIGITS)
