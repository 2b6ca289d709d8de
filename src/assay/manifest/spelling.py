"""Spellings of one text: what cannot be seen, and what other keyboards and systems write for it."""

from __future__ import annotations

# Characters without a width: soft hyphen, Hangul fillers, joiners, marks of direction and of byte order.
UNSEEN = "\u00ad\u115f\u1160\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
UNSEEN += "\u2060\u2061\u2062\u2063\u2064\u2800\u3164\ufeff\uffa0"
_BLANKS = UNSEEN + "".join(chr(code) for code in range(0x3001) if chr(code).isspace())

# Cyrillic and Greek small letters that look like Latin ones.
LOOKALIKES = dict(
    zip("\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u03bf\u03bd", "aeopcyxiov", strict=True)
)


def stripped(text: str) -> str:
    """Return a text without blanks, seen or not, at its ends."""
    return text.strip() if text.isascii() else text.strip(_BLANKS)
