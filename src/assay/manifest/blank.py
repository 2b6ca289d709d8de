"""Pictures that show nothing: wholly black, white or of one colour, and JPEGs whose end is fill."""

from __future__ import annotations

from typing import Any, cast

from PIL import Image

Ranges = tuple[tuple[int, int], ...]
NEAR = 8  # grey levels within which all pixels of a picture of nothing lie
PROBES = 4  # along a side: where these differ, the whole is not looked at
END = 8  # rows: of a block of JPEG


def wholly(plain: Image.Image, before: Image.Image) -> str:
    """Return the reason why a picture shows nothing; empty where it shows something.

    Args:
        plain: the picture, RGB.
        before: the same, with its transparency.
    """
    width, height = plain.size
    pixels = cast("Any", plain.load())
    at = [(2 * step + 1, 2 * PROBES) for step in range(PROBES)]
    probes = [pixels[x * width // of, y * height // of] for x, of in at for y, _ in at]
    if any(max(each) - min(each) > NEAR for each in zip(*probes, strict=True)):
        return ""
    extrema = _ranges(plain)
    if any(high - low > NEAR for low, high in extrema):
        return ""
    return f"wholly {_named(extrema, before)}"


def cut_off(plain: Image.Image, kind: str) -> str:
    """Return a note on a JPEG whose lowest rows are fill: its decoder ends a broken stream in silence.

    Black and white ends are common in pictures that are whole (films, margins).
    """
    width, height = plain.size
    if kind != "JPEG" or height < 2 * END:
        return ""
    first = plain.getpixel((0, height - 1))
    if first in {(0, 0, 0), (255, 255, 255)} or first != plain.getpixel((width - 1, height - 1)):
        return ""
    end = plain.crop((0, height - END, width, height))
    if any(low != high for low, high in _ranges(end)):
        return ""
    return f"its lowest {END} rows are of one colour: it may be cut off"


def _ranges(image: Image.Image) -> Ranges:
    """Return least and most of each channel; of an image of several channels Pillow gives pairs."""
    return cast("Ranges", image.getextrema())


def _named(extrema: Ranges, before: Image.Image) -> str:
    if before.has_transparency_data and _ranges(before.convert("RGBA"))[3][1] == 0:
        return "transparent"
    if all(high <= NEAR for _, high in extrema):
        return "black"
    if all(low >= 255 - NEAR for low, _ in extrema):
        return "white"
    return f"of one colour, {tuple((low + high) // 2 for low, high in extrema)}"
