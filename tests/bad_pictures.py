"""Spoilt pictures: fault → the content of the file, or what is done to the folder instead."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, TiffImagePlugin

from tests.icc import profile

VICTIM = "b.png"
PNG = b"\x89PNG\r\n\x1a\n"
P3 = profile("Display P3")


def picture(mode: str = "RGB") -> Image.Image:
    noise = np.random.default_rng(7).integers(0, 255, (40, 30, 3), dtype=np.uint8)
    return Image.fromarray(noise).convert(mode)


def saved(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def with_chunk(*more: tuple[bytes, bytes]) -> bytes:
    """Return the picture as PNG with further chunks after its header."""
    plain, head = saved(picture()), len(PNG) + 25
    return plain[:head] + b"".join(chunk(*each) for each in more) + plain[head:]


def wrong_checksum(content: bytes, kind: bytes) -> bytes:
    """Return a PNG of which one chunk has another checksum than its content."""
    start = content.index(kind)
    stop = start + 4 + int.from_bytes(content[start - 4 : start])
    return content[:stop] + bytes([content[stop] ^ 1]) + content[stop + 1 :]


def bomb() -> bytes:
    """Return a PNG of 40,000 × 40,000 pixels by its header, and 60 bytes long."""
    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    return PNG + chunk(b"IHDR", header) + chunk(b"IEND", b"")


def sixteen_bits() -> bytes:
    rows = (np.asarray(picture()).astype(">u2") * 257).reshape(40, -1)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    header = struct.pack(">IIBBBBB", 30, 40, 16, 2, 0, 0, 0)
    return PNG + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def exif(**tags: object) -> Image.Exif:
    made = Image.Exif()
    for name, value in tags.items():
        made[{"turn": 0x0112, "make": 0x010F, "model": 0x0110, "serial": 0xC62F}[name]] = value
    return made


def by_exif(space: int, index: str = "") -> bytes:
    made = exif()
    made[0x8769] = {0xA001: space} | ({0xA005: {1: index}} if index else {})
    return saved(picture(), exif=made)


def turned(kind: str) -> bytes:
    image = picture().transpose(Image.Transpose.ROTATE_90)
    return saved(image, kind, exif=exif(turn=6))  # to be shown as `picture` is


def cut_out(opaque: int) -> bytes:
    """Return the picture of which the lower part alone is transparent, or all of it."""
    image = picture("RGBA")
    alpha = Image.new("L", image.size, 0)
    alpha.paste(opaque, (0, 0, 30, 20))
    image.putalpha(alpha)
    return saved(image)


def flat(colour: tuple[int, int, int], noise: int = 0) -> bytes:
    levels = np.random.default_rng(1).integers(0, noise + 1, (40, 30, 3))
    return saved(Image.fromarray((np.array(colour) + levels).astype(np.uint8)))


def pages(*reduced: bool) -> bytes:
    """Return a TIFF: the picture, and a page more for each, the smaller copy of the first or another."""
    stream = io.BytesIO()
    with TiffImagePlugin.AppendingTiffWriter(stream, True) as writer:
        for small in (None, *reduced):
            tags = TiffImagePlugin.ImageFileDirectory_v2()
            if small:
                tags[254] = 1
            image = picture() if small is None else picture().resize((15, 20))
            image.save(writer, "TIFF", tiffinfo=tags)
            writer.newFrame()
    return stream.getvalue()


def raw_camera() -> bytes:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[50706] = b"\1\4\0\0"
    return saved(picture().resize((15, 20)), "TIFF", tiffinfo=tags)


def cut_jpeg(mended: bool) -> bytes:
    content = saved(picture().resize((120, 160)), "JPEG", quality=90)
    return content[: len(content) * 2 // 3] + (b"\xff\xd9" if mended else b"")


def cmyk(transform: int) -> bytes:
    """Return a JPEG of four channels; its Adobe marker says whether they are CMYK or YCCK."""
    content = saved(picture("CMYK"), "JPEG")
    at = content.index(b"Adobe") + 11
    return content[:at] + bytes([transform]) + content[at + 1 :]


def numpy_array() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.asarray(picture()))
    return stream.getvalue()


def several(kind: str) -> bytes:
    other = Image.fromarray(255 - np.asarray(picture()))
    return saved(picture(), kind, save_all=True, append_images=[other])


def broken_exif() -> bytes:
    plain, body = saved(picture(), "JPEG"), b"Exif\0\0MM\0*\xff\xff\xff\xff\0\1"
    return plain[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(body)) + body + plain[2:]


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
CONTENT: dict[str, bytes] = {
    "zero-byte image": b"",
    "nothing but zero bytes": bytes(4000),
    "truncated image": saved(picture())[:2000],
    "JPEG cut in its last rows": cut_jpeg(mended=False),
    "JPEG cut and closed": cut_jpeg(mended=True),
    "wrong checksum of IDAT": wrong_checksum(saved(picture()), b"IDAT"),
    "wrong checksum of IHDR": wrong_checksum(saved(picture()), b"IHDR"),
    "wrong checksum of tRNS": wrong_checksum(saved(picture(), transparency=(1, 2, 3)), b"tRNS"),
    "wrong checksum of iCCP": wrong_checksum(saved(picture(), icc_profile=P3), b"iCCP"),
    "wrong checksum of IEND": wrong_checksum(saved(picture()), b"IEND"),
    "PNG without its end": saved(picture())[:-12],
    "bytes after a PNG": saved(picture()) + b"more",
    "bytes after a JPEG": saved(picture(), "JPEG") + bytes(64),
    "16-bit image": saved(Image.fromarray(np.arange(1600, dtype=np.uint16).reshape(40, 40))),
    "16-bit RGB": sixteen_bits(),
    "CMYK image": cmyk(0),
    "YCCK image": cmyk(2),
    "decompression bomb": bomb(),
    "wholly black": flat((0, 0, 0)),
    "lens cap on": flat((0, 0, 0), noise=6),
    "wholly white": flat((255, 255, 255)),
    "of one colour": flat((200, 120, 30)),
    "wholly transparent": cut_out(0),
    "animated GIF": several("GIF"),
    "animated PNG": several("PNG"),
    "animated WebP": several("WEBP"),
    "TIFF of several pages": pages(False, False),
    "TIFF with a smaller copy": pages(True),
    "text": b"see the other folder\n",
    "HTML": b"<!DOCTYPE html><html>sign in</html>",
    "SVG": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
    "JSON": b'{"error": "not found"}',
    "Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    "DVC pointer": b"outs:\n- md5: 0\n  path: b.png\n",
    "DICOM": bytes(128) + b"DICM" + bytes(64),
    "HEIC": b"\0\0\0\x18ftypheic" + bytes(64),
    "raw camera file": raw_camera(),
    "raw camera file (CR2)": b"II*\0\x10\0\0\0CR\2\0" + bytes(64),
    "PDF": b"%PDF-1.7\n",
    "zip": b"PK\3\4" + bytes(64),
    "numpy array": numpy_array(),
    "video": b"\0\0\0\x18ftypisom" + bytes(64),
    "AppleDouble": b"\0\5\x16\7" + bytes(64),
    "Photoshop file": b"8BPS\0\1" + bytes(64),
    "JPEG named .png": saved(picture(), "JPEG"),
    "several pictures in a JPEG": several("MPO"),
    "interlaced PNG, palette": saved(picture().quantize(16)),
    "palette with transparency": saved(picture().quantize(16), transparency=0),
    "grey with alpha": saved(picture("LA")),
    "black and white": saved(picture("1")),
    "BMP": saved(picture(), "BMP"),
    "BMP with alpha": saved(picture("RGBA"), "BMP"),
    "WebP": saved(picture(), "WEBP", lossless=True),
    "TIFF": saved(picture(), "TIFF"),
    "alpha": cut_out(255),
    "EXIF-rotated": turned("PNG"),
    "EXIF-rotated TIFF": turned("TIFF"),
    "EXIF-rotated WebP": turned("WEBP"),
    "an EXIF orientation that is none": saved(picture(), exif=exif(turn=9)),
    "broken EXIF": broken_exif(),
    "colour profile": saved(picture(), icc_profile=P3),
    "colour profile of a JPEG": saved(picture(), "JPEG", icc_profile=P3),
    "profile that is sRGB": saved(picture(), icc_profile=SRGB),
    "grey profile": saved(picture("L"), icc_profile=profile("Linear grey", b"GRAY", 1.0)),
    "broken profile": saved(picture(), icc_profile=b"no profile"),
    "CMYK profile on RGB": saved(picture(), icc_profile=profile("Coated", b"CMYK")),
    "RGB profile on grey": saved(picture("L"), icc_profile=P3),
    "PNG with a gamma": with_chunk((b"gAMA", struct.pack(">I", 100_000))),
    "PNG with primaries": with_chunk(
        (b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000))
    ),
    "PNG with cICP": with_chunk((b"cICP", bytes([12, 13, 0, 1]))),
    "PNG that says sRGB": with_chunk((b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 45455))),
    "Adobe RGB by EXIF alone": by_exif(0xFFFF, "R03"),
    "uncalibrated by EXIF": by_exif(0xFFFF),
}  # fmt: skip


def in_place(content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / VICTIM).write_bytes(content) and None


def a_folder(folder: Path) -> None:
    (folder / VICTIM).unlink()
    (folder / VICTIM).mkdir()


def elsewhere(folder: Path) -> None:
    """Let the table name a place that answers nobody."""
    [table] = folder.glob("*.csv")
    table.write_text(table.read_text().replace(VICTIM, f"http://127.0.0.1:9/{VICTIM}"))


PLANTS: dict[str, Callable[[Path], None]] = {
    **{fault: in_place(content) for fault, content in CONTENT.items()},
    "absent file": lambda folder: (folder / VICTIM).unlink(),
    "a folder for a file": a_folder,
    "unreachable URL": elsewhere,
    "file that changes while it is read": lambda folder: None,
}
