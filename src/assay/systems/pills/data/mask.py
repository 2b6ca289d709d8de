"""One mask: a PNG whose pixels are class numbers, 0 the ground; read, judged, letterboxed.

What is wrong becomes one reason in words, never an exception. A number is never guessed: a mask in
colours, or of 16 bits, is refused, and so is a number beyond the list of classes. Colour profiles, gamma
and transparency of a palette change no number, and are not heeded.
"""

from __future__ import annotations

import io
import zlib

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from assay.manifest.images import LETTERBOX, ORIENTATION, squared

Classes = npt.NDArray[np.uint8]
MODES = ("L", "P", "1")  # 8-bit grey, palette (the entry's number counts, not its colour), one bit
GROUND = 0


def read_mask(content: bytes) -> Classes | str:
    """Return the class of each pixel (rows, columns), or the reason why there is none."""
    if not content:
        return "mask: zero bytes"
    try:
        with Image.open(io.BytesIO(content)) as image:
            if fault := _kind_fault(image):
                return fault
            found = np.asarray(image) // (_step(content) if image.mode == "L" else 1)
    except UnidentifiedImageError:
        return "mask: not an image"
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as fault:
        return f"mask: damaged: {fault}"
    return found.astype(np.uint8)


def _kind_fault(image: Image.Image) -> str:
    """Return why a picture is no mask by its kind, or an empty text."""
    if image.format != "PNG":
        return f"mask: {image.format}, expected PNG: others change numbers"
    if image.mode not in MODES:
        return f"mask: colour mode {image.mode}, expected 8-bit grey or a palette"
    if getattr(image, "n_frames", 1) > 1:
        return "mask: several pictures in one file, expected one"
    if image.getexif().get(ORIENTATION, 1) != 1:
        return "mask: EXIF turns it, expected its pixels as the photograph is seen upright"
    return ""


def _step(png: bytes) -> int:
    """Return what Pillow multiplies grey of 2 and 4 bits by (85, 17); 1 where it does not."""
    depth = png[24]  # the header's; a PNG was opened
    return 255 // ((1 << depth) - 1)


def fault_of(mask: Classes, classes: int) -> str:
    """Return what is wrong with the classes of a mask, or an empty text."""
    drawn = np.unique(mask)
    most, numbers = int(drawn[-1]), ", ".join(map(str, range(classes)))
    if most >= classes:
        return f"mask: class {most} beyond 0–{classes - 1}{_likely(drawn, classes, numbers)}"
    if most == GROUND:
        return "mask: all ground"
    if drawn[0] != GROUND:
        return f"mask: no ground, expected some pixels of 0 among {numbers}"
    rim = (mask[0], mask[-1], mask[:, 0], mask[:, -1])
    if all((side != GROUND).all() for side in rim):
        return "mask: the whole rim is pill and the ground lies within: inverted? expected 0 for ground"
    return ""


def _likely(drawn: Classes, classes: int, numbers: str) -> str:
    """Say what a mask with numbers beyond the list looks most like."""
    if len(drawn) > max(2 * classes, 8):
        return f"; {len(drawn)} values: soft edges or a photograph? draw without antialiasing"
    shown = ", ".join(map(str, drawn))
    if classes == 2 and drawn.tolist() == [0, 255]:
        return f"; looks most like {shown} for {numbers}: divide by 255"
    return f"; drawn in {shown}, expected {numbers}"


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
