"""Colour profiles for tests, of three primaries and a gamma, byte by byte (ICC 2.1)."""

from __future__ import annotations

import struct

# Display P3's primaries, adapted to D50; X, Y, Z of red, green, blue.
P3 = ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))
WHITE = (0.9642, 1.0, 0.8249)
SRGB_GAMMA = 2.2


def profile(name: str, space: bytes = b"RGB ", gamma: float = SRGB_GAMMA) -> bytes:
    """Return a profile of a monitor: of RGB with Display P3's primaries, or GRAY."""
    text = name.encode() + b"\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78),
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": _xyz(WHITE),
    }
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    if space == b"GRAY":
        tags[b"kTRC"] = curve
    else:
        for letter, point in zip((b"r", b"g", b"b"), P3, strict=True):
            tags |= {letter + b"XYZ": _xyz(point), letter + b"TRC": curve}
    table, body, start = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for tag, content in tags.items():
        table += tag + struct.pack(">II", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = struct.pack(">I4sI4s4s4s", 132 + len(table) - 4 + len(body), b"\0" * 4, 0x02100000,
                       b"mntr", space, b"XYZ ")  # fmt: skip
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    head += struct.pack(">3i", *(round(each * 65536) for each in WHITE)) + bytes(48)
    return head + table + body


def _xyz(point: tuple[float, float, float]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(each * 65536) for each in point))
