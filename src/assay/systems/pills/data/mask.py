"""One mask: a PNG whose pixels are class numbers, 0 the ground; read, judged, letterboxed.

What is wrong becomes one reason in words, never an exception. A number is never guessed: a mask in
colours, or of 16 bits, is refused, and so is a number beyond the list of classes.
"""

from __future__ import annotations

import io
import zlib

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from assay.manifest.images import LETTERBOX, squared

Classes = npt.NDArray[np.uint8]
MODES = ("L", "P", "1")  # 8-bit grey, palette (the entry's number counts, not its colour), one bit
GROUND = 0


def read_mask(content: bytes) -> Classes | str:
    """Return the class of each pixel (rows, columns), or the reason why there is none."""
    if not content:
        return "mask: zero bytes"
    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.format != "PNG":
                return f"mask: {image.format}, expected PNG: others change numbers"
            if image.mode not in MODES:
                return f"mask: colour mode {image.mode}, expected 8-bit grey or a palette"
            found = np.asarray(image)
    except UnidentifiedImageError:
        return "mask: not an image"
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as fault:
        return f"mask: damaged: {fault}"
    return found.astype(np.uint8)


def fault_of(mask: Classes, classes: int) -> str:
    """Return what is wrong with the classes of a mask, or an empty text."""
    if int(mask.max()) >= classes:
        return f"mask: class {int(mask.max())} beyond 0–{classes - 1}"
    return "" if mask.any() else "mask: all ground"


def letterboxed(mask: Classes, size: int) -> Classes:
    """Return the mask (size, size) as its photograph is stored, each pixel its nearest neighbour's."""
    image = squared(Image.fromarray(mask), size, LETTERBOX, Image.Resampling.NEAREST)
    return np.asarray(image)


def to_png(mask: Classes) -> bytes:
    """Return the mask as PNG.

    Runs alone are packed: what a search for matches finds differs between makes of deflate.
    """
    stream = io.BytesIO()
    Image.fromarray(mask).save(stream, "PNG", compress_type=zlib.Z_RLE)
    return stream.getvalue()
