"""What a file is that is no picture of a kind that is taken, told by its first bytes."""

from __future__ import annotations

import io
import struct
from typing import Any

from PIL import Image

TAKEN = (
    "PNG",
    "JPEG",
    "TIFF",
    "BMP",
    "GIF",
    "WEBP",
    "JPEG2000",
    "AVIF",
    "PPM",
)  # as Pillow names them
EXPECTED = "expected PNG, JPEG, TIFF, BMP, GIF, WebP, JPEG 2000, AVIF or PPM"
HEAD = 2048  # bytes in which a text says what it is
CONVERT = "convert it"
CR2 = b"CR\x02\x00"
VIDEOS = (b"isom", b"iso2", b"mp4", b"qt", b"3g", b"M4V", b"avc1", b"dash")
# (offset, first bytes, what it is, what mends it)
SIGNATURES: tuple[tuple[int, bytes, str, str], ...] = (
    (128, b"DICM", "a DICOM file", "convert it, e.g. dcm2pnm or pydicom"),
    (4, b"ftypheic", "HEIC", "convert it, e.g. heif-convert"),
    (4, b"ftypheix", "HEIC", "convert it, e.g. heif-convert"),
    (4, b"ftypmif1", "HEIF", "convert it, e.g. heif-convert"),
    (4, b"ftypmsf1", "HEIF", "convert it, e.g. heif-convert"),
    (4, b"ftyphevc", "HEIC", "convert it, e.g. heif-convert"),
    (4, b"ftypcrx ", "a raw camera file (CR3)", "develop it, e.g. dcraw or darktable"),
    *((4, b"ftyp" + brand, "a video", "take pictures out of it") for brand in VIDEOS),
    (8, CR2, "a raw camera file (CR2)", "develop it, e.g. dcraw or darktable"),
    (0, b"FUJIFILMCCD-RAW", "a raw camera file (RAF)", "develop it, e.g. dcraw or darktable"),
    (0, b"IIRO", "a raw camera file (ORF)", "develop it, e.g. dcraw or darktable"),
    (0, b"IIU\x00", "a raw camera file (RW2)", "develop it, e.g. dcraw or darktable"),
    (8, b"AVI ", "a video", "take pictures out of it"),
    (0, b"\x1aE\xdf\xa3", "a video", "take pictures out of it"),
    (0, b"%PDF-", "a PDF", "take the picture out, e.g. pdfimages"),
    (0, b"%!PS", "PostScript", CONVERT),
    (0, b"8BPS", "a Photoshop file", CONVERT),
    (0, b"PK\x03\x04", "a zip archive", "unpack it"),
    (0, b"Rar!", "a RAR archive", "unpack it"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it"),
    (0, b"\x1f\x8b", "a gzip archive", "unpack it"),
    (0, b"\x93NUMPY", "a numpy array", CONVERT),
    (0, b"\x89HDF", "an HDF5 file", CONVERT),
    (0, b"\x00\x05\x16\x07", "what macOS lays beside a file (AppleDouble)", "leave it out"),
    (0, b"version https://git-lfs", "a Git LFS pointer", "git lfs pull in the set's repository"),
    (0, b"outs:", "a DVC pointer", "dvc pull in the set's repository"),
)
TEXTS = (("<svg", "SVG"), ("<!doctype html", "HTML"), ("<html", "HTML"), ("<?xml", "XML or SVG"))
MAKE, MODEL, LONGEST = 0x010F, 0x0110, 64  # EXIF tags; letters of a device
TIFF_REDUCED, TIFF_DNG = 254, 50706  # tags: NewSubfileType (bit 0: a smaller copy), DNGVersion


def cause(content: bytes) -> str:
    """Return why Pillow opens nothing here; its own error for all kinds is one and says none.

    What the file is, what is expected, what mends it; of a kind that is taken, its plugin's words.
    """
    for offset, first, what, mend in SIGNATURES:
        if content.startswith(first, offset):
            return f"{what}, {EXPECTED}: {mend}"
    for name in TAKEN:
        factory, accept = Image.OPEN[name]
        if accept is None or accept(content[:16]) is not True:
            continue
        try:
            factory(io.BytesIO(content), "")
        except (SyntaxError, IndexError, TypeError, struct.error) as fault:
            return f"damaged {name}: {str(fault).partition(chr(10))[0]}"
    return f"{_text(content)}, {EXPECTED}"


def raw_camera(image: Image.Image, content: bytes) -> bool:
    """Whether a TIFF is a camera's raw file, of which Pillow opens the small copy alone."""
    tags = getattr(image, "tag_v2", {})
    return content.startswith(CR2, 8) or TIFF_DNG in tags or bool(tags.get(TIFF_REDUCED, 0) & 1)


def frames_of(image: Any) -> int:
    """Return how many pictures a file has; a TIFF's smaller copies of its first are none."""
    if image.format != "TIFF":
        return int(image.n_frames)
    copies = 0
    for page in range(1, image.n_frames):
        image.seek(page)
        copies += int(image.tag_v2.get(TIFF_REDUCED, 0)) & 1
    image.seek(0)
    return int(image.n_frames) - copies


def device_of(exif: Image.Exif) -> str:
    """Return make and model of a camera, once each; no serial number is looked at."""
    make, model = (
        " ".join(str(exif.get(tag, "")).replace("\0", " ").split()) for tag in (MAKE, MODEL)
    )
    if model.lower().startswith(make.lower().partition(" ")[0]):
        make = ""
    return f"{make} {model}".strip()[:LONGEST]


def _text(content: bytes) -> str:
    if not content.strip(b"\0"):
        return "nothing but zero bytes"
    text = content[:HEAD].decode("utf-8-sig", "ignore").lstrip().lower()
    if "\0" in text or len(text) < len(content[:HEAD]) // 2:
        return "not an image"
    if text.startswith(("{", "[")):
        return "JSON"
    return next((name for word, name in TEXTS if text.startswith(word)), "text")
