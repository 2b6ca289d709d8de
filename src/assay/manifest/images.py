"""Safe open: bytes once, digest and pixels from the same bytes, failure as a value with a reason."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import fsspec
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

# What is turned into RGB without loss of meaning; 16-bit, float and CMYK pictures are not.
READABLE_MODES = ("RGB", "RGBA", "L", "LA", "P", "1")


@dataclass(frozen=True)
class Opened:
    """One image file as found: either `pixels` (size, size, 3) uint8, or the `reason` why not."""

    digest: str = ""
    bytes: int = 0
    width: int = 0
    height: int = 0
    pixels: npt.NDArray[np.uint8] | None = None
    reason: str = ""


def resolve(uri: str, root: Path) -> str:
    """Return `uri` as fsspec takes it; a relative path counts from the repository's root."""
    return uri if "://" in uri or Path(uri).is_absolute() else str(root / uri)


def open_image(uri: str, root: Path, size: int) -> Opened:
    """Read, digest and decode one image, resized to `size` × `size`.

    Bilinear with antialiasing, as torchvision's default; transparency is laid on black, since the
    published crops are cut out on a transparent ground whose hidden colour is arbitrary.
    """
    try:
        with fsspec.open(resolve(uri, root), "rb") as stream:
            content = stream.read()
    except FileNotFoundError:
        return Opened(reason="no such file")
    except OSError as fault:
        return Opened(reason=f"cannot be read: {fault.strerror or fault}")
    if not content:
        return Opened(reason="zero bytes")
    return _try_decode(content, size)


def _try_decode(content: bytes, size: int) -> Opened:
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    try:
        return _decode(content, digest, size)
    except UnidentifiedImageError:
        return Opened(digest, len(content), reason="not an image")
    except Image.DecompressionBombError:
        return Opened(digest, len(content), reason="more pixels than an image may have")
    except (OSError, SyntaxError, ValueError) as fault:  # Pillow raises all three on damaged files
        return Opened(digest, len(content), reason=f"damaged: {fault}")


def _decode(content: bytes, digest: str, size: int) -> Opened:
    with Image.open(io.BytesIO(content)) as image:
        width, height = image.size
        if image.mode not in READABLE_MODES:
            reason = f"colour mode {image.mode}, expected 8-bit RGB or grey"
            return Opened(digest, len(content), width, height, reason=reason)
        image.draft("RGB", (size, size))  # JPEG only: decodes at 1/2, 1/4 or 1/8 where enough
        upright = ImageOps.exif_transpose(image)
        if upright.has_transparency_data:
            cut = upright.convert("RGBA")
            upright = Image.alpha_composite(Image.new("RGBA", cut.size, "black"), cut)
        small = upright.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
    return Opened(digest, len(content), width, height, np.asarray(small))
