"""Colours as sRGB: an embedded profile is converted, and what cannot be is told."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from assay.manifest.png import unlike_srgb

EXIF_IFD, INTEROP_IFD = 0x8769, 0xA005
COLOR_SPACE, INTEROP_INDEX = 0xA001, 1
ADOBE_RGB, UNCALIBRATED = (2, "R03"), 0xFFFF
PROFILES = 64  # transforms that are kept: a set is of few devices
LEVEL = 1  # of 255, by which a profile may differ from sRGB and be it
SPACES = {"RGB": "RGB", "RGBA": "RGB", "P": "RGB", "L": "GRAY", "LA": "GRAY", "1": "GRAY"}
MODES = {"RGB": ("RGBA", "RGB"), "GRAY": ("LA", "L")}  # with and without transparency
Convert = Callable[[Image.Image], Image.Image]


def to_srgb(
    image: Image.Image, exif: Image.Exif, colours: dict[bytes, bytes]
) -> tuple[Image.Image, str, str]:
    """Return a decoded image in sRGB, the profile that was converted, and what is to be told of it.

    By relative colorimetric intent. A profile that gives sRGB within a grey level costs nothing; a broken
    one, or one of another colour space than the pixels', is left out; colours that a file states without
    a profile (PNG's gAMA, cHRM, cICP; Adobe RGB by EXIF) are told, and the pixels taken as sRGB.
    """
    profile = image.info.get("icc_profile")
    if not profile:
        said = unlike_srgb(colours) if colours else ""
        said = f"PNG says {said}" if said else _by_exif(exif)
        return image, "", f"{said}: taken as sRGB, since no profile is embedded" if said else ""
    name, convert, fault = _conversion(bytes(profile), SPACES[image.mode])
    if convert is None:
        return image, "", fault
    # A palette's colours, and the one that means transparent, change with the others.
    clear, opaque = MODES[SPACES[image.mode]]
    return convert(image.convert(clear if image.has_transparency_data else opaque)), name, ""


@lru_cache(PROFILES)
def _conversion(profile: bytes, space: str) -> tuple[str, Convert | None, str]:
    """Return a profile's description, what converts to sRGB (None: nothing to do), and its fault."""
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        name = ImageCms.getProfileDescription(opened).strip() or "without a name"
        own = opened.profile.xcolor_space.strip()
        if own != space:
            return name, None, f"colour profile {name} is of {own}, the pixels of {space}: left out"
        convert = _grey(opened) if space == "GRAY" else _coloured(opened)
    except (OSError, ImageCms.PyCMSError) as fault:
        return "", None, f"broken colour profile: left out ({str(fault).strip() or 'unreadable'})"
    return name, convert, ""


def _transform(profile: ImageCms.ImageCmsProfile, mode: str, to: str) -> Any:
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    return ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), mode, to, intent)


def _coloured(profile: ImageCms.ImageCmsProfile) -> Convert | None:
    transforms = {mode: _transform(profile, mode, mode) for mode in ("RGB", "RGBA")}
    levels = np.linspace(0, 255, 9).round().astype(np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(1, -1, 3)
    found = np.asarray(ImageCms.applyTransform(Image.fromarray(cube), transforms["RGB"]))
    if np.abs(found.astype(int) - cube).max() <= LEVEL:
        return None

    def convert(image: Image.Image) -> Image.Image:
        converted = ImageCms.applyTransform(image, transforms[image.mode])
        assert converted is not None  # it is where it is not in place
        return converted

    return convert


def _grey(profile: ImageCms.ImageCmsProfile) -> Convert | None:
    ramp = np.arange(256, dtype=np.uint8)[None]
    found = ImageCms.applyTransform(Image.fromarray(ramp), _transform(profile, "L", "RGB"))
    table = np.asarray(found)[0, :, 1].astype(int)
    if np.abs(table - ramp[0]).max() <= LEVEL:
        return None

    def convert(image: Image.Image) -> Image.Image:
        levels = table.tolist() + (list(range(256)) if image.mode == "LA" else [])
        return image.point(levels)

    return convert


def _by_exif(exif: Image.Exif) -> str:
    if not exif:
        return ""
    space = exif.get_ifd(EXIF_IFD).get(COLOR_SPACE)
    index = str(exif.get_ifd(INTEROP_IFD).get(INTEROP_INDEX, "")).strip("\0 ")
    if space in ADOBE_RGB or index in ADOBE_RGB:
        return "EXIF says Adobe RGB"
    return "EXIF says colours other than sRGB" if space == UNCALIBRATED else ""
