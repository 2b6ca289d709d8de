"""Safe open: bytes once, digest and pixels from the same bytes, failure as a value with a reason."""

from __future__ import annotations

import hashlib
import io
import math
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from assay.errors import MachineError
from assay.manifest.blank import cut_off, wholly
from assay.manifest.colours import to_srgb
from assay.manifest.png import SIGNATURE as PNG
from assay.manifest.png import Checked, checked
from assay.manifest.signatures import TAKEN, cause, device_of, frames_of, raw_camera
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
    (empty: none was), `notes` what was overlooked to read it, `device` the camera as EXIF says it (make
    and model, no serial number), `quantized` the sum of a JPEG's table of luminance (0: no JPEG).
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
    device: str = ""
    quantized: int = 0


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
    is arbitrary; a colour profile is converted to sRGB. JPEG is decoded at 1/2, 1/4 or 1/8 where that is
    enough.
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
            warnings.simplefilter("ignore")
            try:
                return _decode(content, digest, size, decoder, fit)
            except UnidentifiedImageError:
                return Opened(digest, reason=cause(content))
    except Image.DecompressionBombError:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0) // 10**6
        return Opened(digest, reason=f"more pixels than an image may have ({most} million)")
    except Exception as fault:  # noqa: BLE001 - on damaged files each of Pillow's plugins raises its own
        return Opened(digest, reason=f"damaged: {fault}")


def _decode(content: bytes, digest: str, size: int | None, decoder: str, fit: str) -> Opened:
    png = checked(content) if content.startswith(PNG) else Checked(content)
    with Image.open(io.BytesIO(png.content), formats=TAKEN) as image:
        exif = image.getexif()
        facts = _facts(image, exif, digest, png.notes)
        fault = _unreadable(image, png.content)
        if fault:
            return replace(facts, reason=fault)
        if size is not None and fit != STRETCH:
            _ensure_square(max(image.size))  # before anything is decoded
        # A JPEG decoded at 1/2 … 1/8 rounds its sides up: a letterbox's scale would be off by 6 px.
        upright = _upright(
            image, png.content, size if fit == STRETCH else None, decoder, facts.turn
        )
    upright, profile, note = to_srgb(upright, exif, png.colours)
    plain = _laid_on_black(upright)
    fault = wholly(plain, upright)
    if fault:
        return replace(facts, reason=fault)
    told = "; ".join(filter(None, (facts.notes, note, cut_off(plain, facts.format))))
    if size is not None:
        plain = squared(plain, size, fit)
    return replace(facts, pixels=np.asarray(plain), profile=profile, notes=told)


def _facts(image: Any, exif: Image.Exif, digest: str, notes: list[str]) -> Opened:
    """Return what is known before anything is decoded; a photograph of several JPEGs is its first."""
    several = image.format == "MPO"
    turn = exif.get(ORIENTATION, 1)
    if turn not in range(1, 9):
        notes += [f"EXIF orientation {turn} means nothing: left out"] if turn else []
        turn = 1
    if image.info.get("exif") and not exif:
        notes.append("EXIF broken or empty: left out")
    if several:
        notes.append(f"the first of {image.n_frames} pictures in one JPEG")
    # Points and boxes are given in the size that a person sees; Pillow has turned a TIFF's itself.
    lies = turn in LYING and image.format != "TIFF"
    width, height = reversed(image.size) if lies else image.size
    tables = getattr(image, "quantization", None)
    return Opened(
        digest, "JPEG" if several else image.format or "", width, height, turn=turn,
        notes="; ".join(notes), device=device_of(exif),
        quantized=sum(tables[min(tables)]) if tables else 0,
    )  # fmt: skip


def _unreadable(image: Any, content: bytes) -> str:
    """Return why a picture that can be decoded is not taken; empty where it is."""
    if raw_camera(image, content):
        return (
            "a raw camera file: its pixels are not developed; develop it, e.g. dcraw or darktable"
        )
    if image.mode not in READABLE_MODES:
        return f"colour mode {image.mode}, expected 8-bit RGB or grey"
    if image.format != "MPO" and getattr(image, "is_animated", False):
        frames = frames_of(image)
        return f"{frames} pictures in one {image.format}, expected one" if frames > 1 else ""
    return ""


def _laid_on_black(upright: Image.Image) -> Image.Image:
    if upright.has_transparency_data:
        cut = upright if upright.mode == "RGBA" else upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", cut.size, "black"), cut)
    return upright if upright.mode == "RGB" else upright.convert("RGB")


def squared(
    image: Image.Image,
    size: int,
    fit: str,
    resample: Image.Resampling = Image.Resampling.BILINEAR,
) -> Image.Image:
    """Return an upright image as a square of `size` px; what lies in it (a mask) goes the same way.

    The letterbox's bars are 0 in every channel.

    Raises:
        DecompressionBombError: the square around a long strip has more pixels than an image may have.
    """
    if fit == STRETCH:
        return image.resize((size, size), resample)
    # Laid on black before it is resized: one scale holds along both sides, and a bar of half a pixel
    # too, so that the picture's middle is the square's, exactly.
    side = max(image.size)
    _ensure_square(side)
    bars = [(side - length) / 2 for length in image.size]
    x, y = (math.ceil(bar) for bar in bars)
    ground = Image.new(image.mode, (side + 1, side + 1))
    ground.paste(image, (x, y))
    left, top = x - bars[0], y - bars[1]
    box = (left, top, left + side, top + side)
    return ground.resize((size, size), resample, box)


def _ensure_square(side: int) -> None:
    if side**2 > 2 * (Image.MAX_IMAGE_PIXELS or side**2):
        raise Image.DecompressionBombError(f"a strip of {side} px")


def _upright(image: Any, content: bytes, size: int | None, decoder: str, turn: int) -> Any:
    """Decode, as small as `size` allows, and turn as the EXIF orientation says."""
    if decoder == SIMPLEJPEG and image.format == "JPEG":
        import simplejpeg

        least = size or 0
        kind = "GRAY" if image.mode == "L" else "RGB"
        whole = simplejpeg.decode_jpeg(content, kind, min_height=least, min_width=least)
        decoded = Image.fromarray(whole.squeeze(2) if image.mode == "L" else whole)
        decoded.getexif()[ORIENTATION] = turn
        decoded.info["icc_profile"] = image.info.get("icc_profile")
        image = decoded
    elif size is not None:
        image.draft("RGB", (size, size))
    image.load()
    return (
        image if turn == 1 else ImageOps.exif_transpose(image)
    )  # which copies what is upright too
