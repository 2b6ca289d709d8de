"""PNG, chunk by chunk: checksums that Pillow does not look at, and what it says of its colours."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Without it nobody knows what is seen: which pixels are transparent.
NEEDED = (b"tRNS",)
COLOURS = (b"gAMA", b"cHRM", b"cICP", b"sRGB")
SRGB_GAMMA = 45455  # of 100,000, as a file says it
SRGB_POINTS = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)  # of white, red, green, blue
SRGB_CODES = (1, 13)  # of primaries and of the transfer function (ITU-T H.273)
NEAR = 500  # of 100,000: tools round


@dataclass
class Checked:
    """A PNG that can be decoded: its bytes without what was left out, and what is to be told."""

    content: bytes
    notes: list[str] = field(default_factory=list)
    colours: dict[bytes, bytes] = field(default_factory=dict)


def checked(content: bytes) -> Checked:
    """Return a PNG without the ancillary chunks whose checksum is wrong, as libpng reads it.

    A file that is cut off is the decoder's to judge.

    Raises:
        ValueError: the checksum of a chunk is wrong that the pixels need.
    """
    kept, found = [SIGNATURE], Checked(content)
    end = len(SIGNATURE)
    for kind, start, end in _chunks(content):
        body = content[start + 8 : end - 4]
        if zlib.crc32(body, zlib.crc32(kind)) == int.from_bytes(content[end - 4 : end]):
            kept.append(content[start:end])
            if kind == b"IHDR" and body[8:9] == b"\x10":
                found.notes.append("16 bits a channel: the upper 8 are read")
            elif kind in COLOURS:
                found.colours[kind] = body
        else:
            found.notes.append(_left_out(kind))
    if any("checksum" in note for note in found.notes):
        found.content = b"".join([*kept, content[end:]])
    if content[end - 8 : end - 4] != b"IEND":
        found.notes.append("no IEND: what came after the pixels is missing")
    elif end < len(content):
        found.notes.append("bytes after IEND: left out")
    return found


def _left_out(kind: bytes) -> str:
    """Return what is told of a chunk whose checksum is wrong.

    Raises:
        ValueError: it is needed.
    """
    said = f"wrong checksum of {kind.decode('ascii', 'replace')}"
    if (kind[:1].isupper() and kind != b"IEND") or kind in NEEDED:
        raise ValueError(said)
    return f"{said}: left out"


def unlike_srgb(colours: dict[bytes, bytes]) -> str:
    """Return which colours a PNG without a profile says that are not sRGB; empty where it says none."""
    codes = colours.get(b"cICP", b"")
    if len(codes) == 4:  # before the others
        return "" if tuple(codes[:2]) == SRGB_CODES else f"cICP {codes[0]}-{codes[1]}"
    if b"sRGB" in colours:
        return ""
    said = []
    gamma, points = colours.get(b"gAMA", b""), colours.get(b"cHRM", b"")
    if len(gamma) == 4 and abs(int.from_bytes(gamma) - SRGB_GAMMA) > NEAR:
        said.append(f"gamma 1/{1e5 / max(int.from_bytes(gamma), 1):.2f}")
    if len(points) == 32:
        pairs = zip(struct.unpack(">8I", points), SRGB_POINTS, strict=True)
        if any(abs(one - other) > NEAR for one, other in pairs):
            said.append("other primaries")
    return " and ".join(said)


def _chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of each whole chunk, IEND the last."""
    start = len(SIGNATURE)
    while start + 12 <= len(content):
        stop = start + 12 + int.from_bytes(content[start : start + 4])
        kind = content[start + 4 : start + 8]
        if stop > len(content):
            return
        yield kind, start, stop
        if kind == b"IEND":
            return
        start = stop
