"""Safe open: bytes once, digest and pixels from the same bytes, failure as a value with a reason."""

from __future__ import annotations

import hashlib
import io
import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from assay.errors import MachineError
from assay.manifest.source import ReadError

if TYPE_CHECKING:
    from assay.manifest.source import Source, Stamp

# What is turned into RGB without loss of meaning; 16-bit, float and CMYK pictures are not.
READABLE_MODES = ("RGB", "RGBA", "L", "LA", "P", "1")
PILLOW, SIMPLEJPEG = "pillow", "simplejpeg"
STRETCH, LETTERBOX = "stretch", "letterbox"
ORIENTATION = 0x0112  # EXIF
LYING = (5, 6, 7, 8)  # orientations whose rows are columns
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Opened:
    """One image file as found: either `pixels` (size, size, 3) uint8, or the `reason` why not.

    `format` is what the bytes are (PNG, JPEG, …), whatever the file's name says. `turn` is the EXIF
    orientation (1–8, 1 upright) that was undone, `profile` the colour profile that was converted to sRGB
    (empty: none was), `notes` what was overlooked to read it.
    """

    digest: str = ""
    format: str = ""
    width: int = 0
    height: int = 0
    pixels: Pixels | None = None
    reason: str = ""
    turn: int = 1
    profile: str = ""
    notes: str = ""


def open_image(
    source: Source,
    uri: str,
    stamp: Stamp,
    size: int | None,
    decoder: str = PILLOW,
    fit: str = STRETCH,
) -> Opened:
    """Read, digest and decode one image, resized to `size` × `size`; None keeps its own size.

    `fit` says how an oblong becomes a square: stretched, or letterboxed (its longer side is `size`,
    black beside it).

    Bilinear with antialiasing, as torchvision's default; turned upright as its EXIF says; transparency
    is laid on black, since the published crops are cut out on a transparent ground whose hidden colour
    is arbitrary. JPEG is decoded at 1/2, 1/4 or 1/8 where that is enough.
    """
    if stamp.bytes == 0:
        return Opened(reason="zero bytes")
    try:
        content = source.read(uri, stamp)
    except ReadError as reason:
        return Opened(reason=str(reason))
    if stamp.bytes > 0 and (len(content) != stamp.bytes or _moved_on(source, uri, stamp)):
        return Opened(reason="changed while it was read")
    return _try_decode(content, size, decoder, fit)


def require(decoder: str) -> None:
    """Refuse a decoder that is not installed, before the first image is opened."""
    if decoder == SIMPLEJPEG:
        try:
            import simplejpeg  # noqa: F401
        except ImportError:
            raise MachineError(
                "decoder simplejpeg", "not installed", mend="uv pip install simplejpeg"
            ) from None


def _moved_on(source: Source, uri: str, stamp: Stamp) -> bool:
    """Ask a disk again, which is cheap; a server gave the content that its answer was about."""
    return "://" not in uri and source.stamp(uri) != stamp


def _try_decode(content: bytes, size: int | None, decoder: str, fit: str) -> Opened:
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    try:
        with warnings.catch_warnings():
            # Half of the limit is a warning only: such an image is large, not hostile.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return _decode(content, digest, size, decoder, fit)
    except UnidentifiedImageError:
        return Opened(digest, reason="not an image")
    except Image.DecompressionBombError:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0) // 10**6
        return Opened(digest, reason=f"more pixels than an image may have ({most} million)")
    except (OSError, SyntaxError, ValueError) as fault:  # Pillow raises all three on damaged files
        return Opened(digest, reason=f"damaged: {fault}")


def _decode(content: bytes, digest: str, size: int | None, decoder: str, fit: str) -> Opened:
    with Image.open(io.BytesIO(content)) as image:
        facts = (digest, image.format or "", *_upright_size(image))
        turn = image.getexif().get(ORIENTATION, 1)
        if image.mode not in READABLE_MODES:
            return Opened(*facts, reason=f"colour mode {image.mode}, expected 8-bit RGB or grey")
        # A JPEG decoded at 1/2 … 1/8 rounds its sides up: a letterbox's scale would be off by 6 px.
        upright = _upright(image, content, size if fit == STRETCH else None, decoder)
    if upright.has_transparency_data:
        cut = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", cut.size, "black"), cut)
    plain = upright.convert("RGB")
    if size is not None:
        plain = squared(plain, size, fit)
    return Opened(*facts, np.asarray(plain), turn=turn)


def _upright_size(image: Image.Image) -> tuple[int, int]:
    """Return width and height as a person sees the image; points and boxes are given in these."""
    width, height = image.size
    lies = image.getexif().get(ORIENTATION, 1) in LYING
    return (height, width) if lies else (width, height)


def squared(
    image: Image.Image,
    size: int,
    fit: str,
    resample: Image.Resampling = Image.Resampling.BILINEAR,
) -> Image.Image:
    """Return an upright image as a square of `size` px; what lies in it (a mask) goes the same way.

    The letterbox's bars are 0 in every channel.
    """
    if fit == STRETCH:
        return image.resize((size, size), resample)
    # Laid on black before it is resized: one scale holds along both sides, and a bar of half a pixel
    # too, so that the picture's middle is the square's, exactly.
    side = max(image.size)
    bars = [(side - length) / 2 for length in image.size]
    x, y = (math.ceil(bar) for bar in bars)
    ground = Image.new(image.mode, (side + 1, side + 1))
    ground.paste(image, (x, y))
    left, top = x - bars[0], y - bars[1]
    box = (left, top, left + side, top + side)
    return ground.resize((size, size), resample, box)


def _upright(image: Any, content: bytes, size: int | None, decoder: str) -> Any:
    """Decode, as small as `size` allows, and turn as the EXIF orientation says."""
    turn = image.getexif().get(ORIENTATION, 1)
    if decoder == SIMPLEJPEG and image.format == "JPEG":
        import simplejpeg

        least = size or 0
        whole = simplejpeg.decode_jpeg(content, "RGB", min_height=least, min_width=least)
        decoded = Image.fromarray(whole)
        decoded.getexif()[ORIENTATION] = turn
        return ImageOps.exif_transpose(decoded)
    if size is not None:
        image.draft("RGB", (size, size))
    return ImageOps.exif_transpose(image)
